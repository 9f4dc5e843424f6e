import { busyPorts, portInfo, portsFromEnvironment, type Ports } from '../local/ports';
import { say } from './run-program';

/**
 * The ports of `npm start`, except those that are in use, for example by a `npm start`: the demo
 * gets free ones in their place and says so. A port that the user has named is kept.
 */
export async function portsForDemo(): Promise<Partial<Ports>> {
  const ports: Partial<Record<keyof Ports, number>> = portsFromEnvironment(process.env);
  for (const name of await busyPorts(ports)) {
    const { variable, owner } = portInfo[name];
    if ((process.env[variable] ?? '') === '') {
      say(`Port ${String(ports[name])} is in use, so ${owner} gets a free one.`);
      Reflect.deleteProperty(ports, name);
    }
  }
  return ports;
}
