import { failureIn, fromMinio, unless } from '../../../src/storage/s3-answers';
import { StoreRefusal } from '../../../src/storage/store-retry';

/** As the client throws them: its class has this name, and S3's fields beside the message. */
function s3Error(code: string | undefined, message: string): Error {
  return Object.assign(new Error(message), { name: 'S3Error', code, awsaccesskeyid: 'the-key' });
}

describe('fromMinio', () => {
  it('takes most answers for refusals', () => {
    expect(fromMinio(s3Error('AccessDenied', 'no'))).toEqual(
      new StoreRefusal('AccessDenied', 'no'),
    );
  });

  it.each(['SlowDown', 'InternalError', 'XMinioServerNotInitialized', undefined])(
    'takes %s for something that passes',
    (code) => {
      expect(fromMinio(s3Error(code, 'later'))).not.toBeInstanceOf(StoreRefusal);
    },
  );

  it('keeps nothing of an answer but its code and message', () => {
    expect(Object.values(fromMinio(s3Error('AccessDenied', 'no')) as object)).not.toContain(
      'the-key',
    );
  });

  it.each([
    [{ Code: 'InternalError', Message: 'We encountered an internal error.' }, false],
    [{ Code: 'NoSuchKey', Message: 'The specified key does not exist.' }, true],
    [{}, false],
  ])('understands an error inside a 200 answer: %j', (thrown, isRefusal) => {
    const error = fromMinio(thrown);
    expect(error).toBeInstanceOf(Error);
    expect(error instanceof StoreRefusal).toBe(isRefusal);
  });

  it('leaves other errors as they are', () => {
    const error = new Error('read ECONNRESET');
    expect(fromMinio(error)).toBe(error);
  });
});

describe('failureIn', () => {
  it.each([
    ['<?xml version="1.0"?>\n<Error><Code>InvalidPart</Code><Message>no</Message></Error>', true],
    ['<Error xmlns="x"><Code>InternalError</Code><Message>later</Message></Error>', false],
    ['  <Error></Error>', false],
  ])('finds the error in %j', (body, isRefusal) => {
    expect(failureIn(body)).toBeInstanceOf(isRefusal ? StoreRefusal : Error);
    expect(failureIn(body) instanceof StoreRefusal).toBe(isRefusal);
  });

  it('finds none in an answer without one', () => {
    const body = '<CompleteMultipartUploadResult><Key>Error</Key></CompleteMultipartUploadResult>';
    expect(failureIn(body)).toBeUndefined();
  });
});

describe('unless', () => {
  it('makes the expected refusals a value, and throws the others', async () => {
    const call = async (): Promise<never> => await Promise.reject(s3Error('NoSuchKey', 'none'));

    await expect(unless(['NotFound', 'NoSuchKey'], call)).resolves.toBeUndefined();
    await expect(unless(['NotFound'], call)).rejects.toThrow('NoSuchKey: none');
    expect(await unless([], async () => await Promise.resolve(1))).toBe(1);
  });
});
