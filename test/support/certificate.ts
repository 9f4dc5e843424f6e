/**
 * A certificate for `localhost` and 127.0.0.1 that nobody has signed, valid for a hundred years, with
 * its key. Made with `openssl req -x509 -newkey ec`; it protects nothing.
 */
export const selfSignedCertificate = {
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgl968kIX8vcfQR+CM
idzlM/mfgazdUXUnSilrvr1Ojz6hRANCAATkrqiRNhBVp6NteW9pxzwyI/1RBM60
02/qdHK4VWQoCTkxFBQs4rvw27Ltyeh05D6daQ4Y+C68b9TedfX7p+79
-----END PRIVATE KEY-----
`,
  cert: `-----BEGIN CERTIFICATE-----
MIIBmzCCAUGgAwIBAgIUQ3+yl+RvMR8KY+XJmnkx/uFKbKIwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMTEzMTU1MloYDzIxMjYxMDI4
MTMxNTUyWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAATkrqiRNhBVp6NteW9pxzwyI/1RBM6002/qdHK4VWQoCTkxFBQs4rvw
27Ltyeh05D6daQ4Y+C68b9TedfX7p+79o28wbTAdBgNVHQ4EFgQUkY8itRHU42Wd
qP16Zt5FO4vWA6kwHwYDVR0jBBgwFoAUkY8itRHU42WdqP16Zt5FO4vWA6kwDwYD
VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI
zj0EAwIDSAAwRQIgQ+hrohO7h0SaJJHapM+f9Wk/Kt6SwBkj2Zlmivh4RGQCIQCH
ILpkIQ7pcDeMwY6knI8pxd8d4+beAf1rXPO9piIoNA==
-----END CERTIFICATE-----
`,
};
