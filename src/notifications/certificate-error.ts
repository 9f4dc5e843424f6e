/** Node.js has a code for each reason why it does not trust a certificate. */
const codes =
  /^(CERT_|ERR_TLS_CERT|DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_|UNABLE_TO_(GET|VERIFY)_|HOSTNAME_MISMATCH)/;

export function isCertificateError(code: string): boolean {
  return codes.test(code);
}
