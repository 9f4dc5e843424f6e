import { completionBody, crc32Of, multipartEtag } from '../../../src/storage/s3-parts';

describe('crc32Of', () => {
  it('is the check value of CRC-32 for its text', () => {
    expect(crc32Of(Buffer.from('123456789'))).toBe(
      Buffer.from('cbf43926', 'hex').toString('base64'),
    );
  });
});

describe('completionBody', () => {
  it('names parts in order, with their checksums where they have some', () => {
    expect(completionBody([{ etag: 'a', crc32: 'y/Q5Jg==' }, { etag: 'b&<' }])).toBe(
      '<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">' +
        '<Part><PartNumber>1</PartNumber><ETag>a</ETag><ChecksumCRC32>y/Q5Jg==</ChecksumCRC32></Part>' +
        '<Part><PartNumber>2</PartNumber><ETag>b&#38;&#60;</ETag></Part>' +
        '</CompleteMultipartUpload>',
    );
  });
});

describe('multipartEtag', () => {
  it('is the digest of the digests, with their number', () => {
    const etag = 'd41d8cd98f00b204e9800998ecf8427e';
    expect(multipartEtag([{ etag }, { etag }])).toBe('5873dd45edd01f09c1ef2e7819369e8e-2');
  });
});
