import {
  createMinioObjectStore,
  type MinioObjectStore,
} from '../../src/storage/minio-object-store';
import { MinioServer } from '../support/minio';
import { describeObjectStore } from './object-store';

jest.setTimeout(120_000);

let server: MinioServer | undefined;
let store: MinioObjectStore | undefined;

describeObjectStore('MinIO', async () => {
  server = await MinioServer.start();
  store = createMinioObjectStore(server.config);
  await store.ensureBucket();
  return store;
});

afterAll(async () => {
  store?.close();
  await server?.stop();
});
