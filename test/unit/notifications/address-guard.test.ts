import { AddressGuard } from '../../../src/notifications/address-guard';

const closed = new AddressGuard([]);

describe('without allowed networks', () => {
  it.each([
    ['8.8.8.8', 'a public IPv4 address'],
    ['1.1.1.1', 'another one'],
    ['100.63.255.255', 'below shared addresses'],
    ['100.128.0.0', 'above shared addresses'],
    ['172.15.255.255', 'below private ones'],
    ['172.32.0.0', 'above private ones'],
    ['223.255.255.255', 'below multicast'],
    ['2606:4700:4700::1111', 'a public IPv6 address'],
    ['2001:4860:4860::8888', 'another one'],
  ])('%s is allowed: %s', (address) => {
    expect(closed.allows(address, 'https:')).toBe(true);
    expect(closed.allows(address, 'http:')).toBe(false);
  });

  it.each([
    ['0.0.0.0', 'unspecified'],
    ['0.1.2.3', 'this network'],
    ['10.0.0.1', 'private'],
    ['100.64.0.1', 'shared (carrier-grade NAT)'],
    ['100.127.255.255', 'shared'],
    ['127.0.0.1', 'loopback'],
    ['127.255.255.254', 'loopback'],
    ['169.254.169.254', 'link-local, cloud metadata'],
    ['172.16.0.1', 'private'],
    ['172.31.255.255', 'private'],
    ['192.0.0.1', 'protocol assignments'],
    ['192.0.2.1', 'documentation'],
    ['192.88.99.1', '6to4 relays'],
    ['192.168.1.1', 'private'],
    ['198.18.0.1', 'benchmarks'],
    ['198.19.255.255', 'benchmarks'],
    ['198.51.100.1', 'documentation'],
    ['203.0.113.1', 'documentation'],
    ['224.0.0.1', 'multicast'],
    ['239.255.255.255', 'multicast'],
    ['240.0.0.1', 'reserved'],
    ['255.255.255.255', 'broadcast'],
    ['::', 'unspecified'],
    ['::1', 'loopback'],
    ['::127.0.0.1', 'IPv4-compatible'],
    ['::ffff:127.0.0.1', 'IPv4-mapped'],
    ['::ffff:8.8.8.8', 'IPv4-mapped, even of a public one'],
    ['::ffff:a9fe:a9fe', 'IPv4-mapped cloud metadata'],
    ['64:ff9b::7f00:1', 'NAT64 of loopback'],
    ['64:ff9b:1::a00:1', 'local NAT64'],
    ['100::1', 'discard'],
    ['2001::1', 'Teredo'],
    ['2001:2::1', 'benchmarks'],
    ['2001:db8::1', 'documentation'],
    ['2002:7f00:1::', '6to4 of loopback'],
    ['3fff::1', 'documentation'],
    ['5f00::1', 'segment routing'],
    ['fc00::1', 'unique local'],
    ['fd12:3456::1', 'unique local'],
    ['fe80::1', 'link-local'],
    ['fec0::1', 'site-local'],
    ['ff02::1', 'multicast'],
    ['localhost', 'no address at all'],
    ['', 'nothing'],
  ])('%s is refused: %s', (address) => {
    expect(closed.allows(address, 'https:')).toBe(false);
  });
});

it('an allowed network is allowed over http too, and nothing else is', () => {
  const guard = new AddressGuard(['127.0.0.0/8', '10.1.0.0/16', 'fd00::/8']);
  for (const address of ['127.0.0.1', '10.1.2.3', 'fd00::1']) {
    expect(guard.allows(address, 'http:')).toBe(true);
    expect(guard.allows(address, 'https:')).toBe(true);
  }
  for (const address of ['10.2.0.1', '169.254.169.254', 'fe80::1', '8.8.8.8']) {
    expect(guard.allows(address, 'http:')).toBe(false);
  }
  expect(guard.allows('8.8.8.8', 'https:')).toBe(true);
});

describe('a URL', () => {
  it.each([
    'https://example.com',
    'https://example.com:8443/hooks?token=1',
    'https://8.8.8.8/',
    'https://[2606:4700:4700::1111]/',
    'https://localhost/', // Where a name leads is looked at when something is sent there.
  ])('%s may be used', (url) => {
    expect(closed.problemOf(url)).toBeUndefined();
  });

  it.each([
    ['', 'absolute'],
    ['/hook', 'absolute'],
    ['https://', 'absolute'],
    ['https://256.1.1.1', 'absolute'],
    ['ftp://example.com', 'https://'],
    ['file:///etc/passwd', 'https://'],
    ['javascript:alert(1)', 'https://'],
    ['gopher://example.com', 'https://'],
    ['http://example.com', 'https://'],
    ['http://8.8.8.8', 'https://'],
    ['https://user@example.com', 'user name'],
    ['https://:secret@example.com', 'password'],
    ['https://127.0.0.1', 'public'],
    ['https://127.1', 'public'],
    ['https://0x7f.1', 'public'],
    ['https://2130706433', 'public'],
    ['https://017700000001', 'public'],
    ['https://0', 'public'],
    ['https://127.0.0.1.', 'public'],
    ['https://①②⑦.⓪.⓪.①', 'public'],
    ['https://127%2e0%2e0%2e1', 'public'],
    ['https://[::1]', 'public'],
    ['https://[::]', 'public'],
    ['https://[::ffff:127.0.0.1]', 'public'],
    ['https://[::ffff:7f00:1]', 'public'],
    ['https://[0:0:0:0:0:ffff:a9fe:a9fe]', 'public'],
    ['https://[64:ff9b::127.0.0.1]', 'public'],
    ['https://[2002:7f00:1::]', 'public'],
    ['https://169.254.169.254/latest/meta-data/', 'public'],
  ])('%s is refused', (url, because) => {
    expect(closed.problemOf(url)).toContain(because);
  });

  it('may be plain http where a network is allowed', () => {
    const guard = new AddressGuard(['127.0.0.0/8']);
    expect(guard.problemOf('http://127.0.0.1:8080/')).toBeUndefined();
    expect(guard.problemOf('http://receiver.internal/')).toBeUndefined();
    expect(guard.problemOf('http://10.0.0.1/')).toContain('allowed network');
    expect(guard.problemOf('ftp://127.0.0.1/')).toContain('https://');
  });
});
