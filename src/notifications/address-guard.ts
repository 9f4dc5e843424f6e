/**
 * Which addresses a webhook may lead to.
 *
 * Webhooks are sent from inside the operator's network to wherever a client says (server-side
 * request forgery). So: public addresses over https; others, and plain http, only in networks that
 * the operator allows. An address that is looked up is looked at again with every attempt, and the
 * connection goes to the very address that was looked at.
 */
import { BlockList, isIP } from 'node:net';

/** IANA IPv4 Special-Purpose Address Registry, multicast, and what is reserved. */
const privateIpv4 = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
];

/**
 * All that IANA has assigned for public use. Outside are loopback, link-local, unique local and
 * multicast addresses, and those with an IPv4 address inside (mapped, NAT64).
 */
const publicIpv6 = ['2000::/3'];
/** Inside of it: protocol assignments (Teredo among them), documentation, 6to4, documentation. */
const privateIpv6 = ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20'];

const privateAddresses = networkList([...privateIpv4, ...privateIpv6]);
const publicIpv6Addresses = networkList(publicIpv6);

export class AddressGuard {
  private readonly allowed: BlockList;

  /** @param allowedNetworks CIDRs; addresses in them may be used whatever they are. */
  constructor(allowedNetworks: readonly string[]) {
    this.allowed = networkList(allowedNetworks);
  }

  /** @param address of IPv4 or IPv6, as the resolver or the URL parser writes it. */
  allows(address: string, protocol: 'http:' | 'https:'): boolean {
    const family = familyOf(address);
    if (family === undefined) {
      return false;
    }
    return this.allowed.check(address, family) || (protocol === 'https:' && isPublic(address));
  }

  /**
   * Why a URL cannot be a webhook, as the end of a sentence; `undefined` when it can. What a name
   * leads to is only known when something is sent there.
   */
  problemOf(text: string): string | undefined {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    if (url === undefined) {
      return 'it is not an absolute URL';
    }
    const { protocol } = url;
    if (protocol !== 'https:' && protocol !== 'http:') {
      return 'it has to begin with https://';
    }
    if (url.username !== '' || url.password !== '') {
      return 'it must not contain a user name or a password';
    }
    const address = hostOf(url);
    if (isIP(address) !== 0 && !this.allows(address, protocol)) {
      return protocol === 'http:'
        ? 'it has to begin with https://, or lie in an allowed network'
        : 'its address is not a public one';
    }
    return protocol === 'http:' && this.allowed.rules.length === 0
      ? 'it has to begin with https://'
      : undefined;
  }
}

/** The host of a URL without the brackets of an IPv6 address. */
export function hostOf(url: URL): string {
  return url.hostname.replace(/^\[(.*)\]$/, '$1');
}

function isPublic(address: string): boolean {
  return familyOf(address) === 'ipv4'
    ? !privateAddresses.check(address, 'ipv4')
    : publicIpv6Addresses.check(address, 'ipv6') && !privateAddresses.check(address, 'ipv6');
}

function familyOf(address: string): 'ipv4' | 'ipv6' | undefined {
  const version = isIP(address);
  return version === 0 ? undefined : `ipv${version as 4 | 6}`;
}

function networkList(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address = '', prefixLength] = network.split('/');
    list.addSubnet(address, Number(prefixLength), familyOf(address) ?? 'ipv4');
  }
  return list;
}
