import { MemoryObjectStore } from '../../src/storage/memory-object-store';
import { describeObjectStore } from './object-store';

describeObjectStore('memory', () => Promise.resolve(new MemoryObjectStore()));
