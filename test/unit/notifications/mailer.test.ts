import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import type { SMTPServerOptions } from 'smtp-server';
import type { SmtpConfig } from '../../../src/config/smtp';
import { batchMail } from '../../../src/notifications/batch-mail';
import { SmtpMailer, type Mail, type MailAnswer } from '../../../src/notifications/mailer';
import { aBatch, startedAt } from '../../support/batches';
import { selfSignedCertificate } from '../../support/certificate';
import { MailServer, SmtpRefusal } from '../../support/mail-server';

const from = 'Longhaul <batches@example.com>';
const to = ['ops@example.com', 'team@example.org'];

const servers: MailServer[] = [];
afterEach(async () => {
  const closing = servers.splice(0).map(async (server) => {
    await server.close();
  });
  await Promise.all(closing);
});

async function mailServer(options: SMTPServerOptions = {}): Promise<MailServer> {
  const server = await MailServer.start(options);
  servers.push(server);
  return server;
}

function mailer(port: number, changes: Partial<SmtpConfig> = {}): SmtpMailer {
  const host = '127.0.0.1';
  const none = { user: undefined, password: undefined };
  return new SmtpMailer({ host, port, isSecure: false, ...none, from, ...changes });
}

function aMail(changes: Partial<Mail> = {}): Mail {
  const batch = aBatch({
    status: 'completed',
    completedAt: startedAt + 60,
    requestCounts: { total: 3, completed: 2, failed: 1 },
  });
  return { ...batchMail(batch, { to, recipients: to }), ...changes };
}

async function send(server: MailServer, mail = aMail()): Promise<MailAnswer> {
  return await mailer(server.port).send(mail);
}

describe('a mail', () => {
  it('says how the batch has ended, in plain text', async () => {
    const server = await mailServer();
    expect(await send(server)).toEqual({ status: 250, error: null, accepted: to, refused: [] });
    const [mail] = server.received;
    expect(mail?.recipients).toEqual(to);
    const { id } = aBatch();
    const [head = '', text = ''] = mail?.raw.split('\r\n\r\n') ?? [];
    expect(head.replaceAll('\r\n ', ' ').split('\r\n').sort()).toEqual(
      [
        'Auto-Submitted: auto-generated',
        'Content-Transfer-Encoding: 7bit',
        'Content-Type: text/plain; charset=utf-8',
        'Date: Tue, 14 Nov 2023 22:14:20 +0000',
        'From: Longhaul <batches@example.com>',
        'MIME-Version: 1.0',
        `Message-ID: <${id}.completed@example.com>`,
        `Subject: Batch ${id} completed`,
        `To: ${to.join(', ')}`,
      ].sort(),
    );
    expect(text).toContain('Requests:     3 (2 completed, 1 failed)\r\n');
    expect(text).toContain('Ended:        2023-11-14T22:14:20Z\r\n');
  });

  it('has no words of whoever created the batch', () => {
    const batch = aBatch({ status: 'failed', inputFileId: 'x\n\nYour key has expired:' });
    expect(batchMail(batch, { to, recipients: to }).text).not.toContain('expired');
  });

  it('has the same message id when it is sent again', async () => {
    const server = await mailServer();
    await send(server);
    await send(server);
    const ids = server.received.map(({ raw }) => /^Message-ID: (.*)$/im.exec(raw)?.[1]);
    expect(ids[0]).toMatch(/^<batch_/);
    expect(ids[1]).toBe(ids[0]);
  });

  it.each([
    'ops@example.com\r\nBcc: thief@example.com',
    'ops@example.com, thief@example.com',
    'ops@example.com> SIZE=1\r\nRCPT TO:<thief@example.com',
  ])('reaches nobody through an address such as %j', async (address) => {
    const server = await mailServer();
    const answer = await send(
      server,
      aMail({ to: [...to, address], recipients: [...to, address] }),
    );
    expect(answer).toMatchObject({ accepted: to, refused: [address] });
    expect(server.received.map(({ recipients }) => recipients)).toEqual([to]);
    expect(server.received[0]?.raw).not.toContain('thief');
  });

  it('is sent with a user and a password', async () => {
    const seen: unknown[] = [];
    const server = await mailServer({
      authOptional: false,
      onAuth: ({ username, password }, _session, callback) => {
        seen.push([username, password]);
        callback(null, { user: username });
      },
    });
    const answer = await mailer(server.port, { user: 'u', password: 'p' }).send(aMail());
    expect(answer.accepted).toEqual(to);
    expect(seen).toEqual([['u', 'p']]);
  });
});

describe('recipients', () => {
  it('are told apart: taken, refused for good, and not yet', async () => {
    const server = await mailServer();
    const third = 'later@example.net';
    server.refusalOf = (recipient) =>
      new Map([
        ['team@example.org', new SmtpRefusal(550)],
        [third, new SmtpRefusal(450)],
      ]).get(recipient);
    const answer = await send(server, aMail({ recipients: [...to, third] }));
    expect(answer).toMatchObject({
      error: null,
      accepted: ['ops@example.com'],
      refused: ['team@example.org'],
    });
  });

  it.each([
    [550, to],
    [451, []],
  ])('that the server all answers with %i', async (code, refused) => {
    const server = await mailServer();
    server.refusalOf = () => new SmtpRefusal(code);
    const answer = await send(server);
    expect(answer).toEqual({ status: code, error: null, accepted: [], refused });
    expect(server.received).toEqual([]);
  });

  it.each([
    [554, to],
    [452, []],
  ])('of a mail that is answered with %i', async (code, refused) => {
    const server = await mailServer({
      onData: (stream, _session, callback) => {
        stream.resume();
        stream.on('end', () => {
          callback(new SmtpRefusal(code));
        });
      },
    });
    expect(await send(server)).toEqual({ status: code, error: null, accepted: [], refused });
  });
});

describe('a server that takes no mail from us', () => {
  const nobody = { accepted: [], refused: [] };

  it('refuses the password, which an operator can correct', async () => {
    const server = await mailServer({
      onAuth: (_auth, _session, callback) => {
        callback(new SmtpRefusal(535));
      },
    });
    const answer = await mailer(server.port, { user: 'u', password: 'wrong' }).send(aMail());
    expect(answer).toEqual({ ...nobody, status: 535, error: 'not_authorized' });
  });

  it('has a certificate that nobody has signed', async () => {
    const secure = await mailServer({ secure: true, ...selfSignedCertificate });
    expect(await mailer(secure.port, { isSecure: true }).send(aMail())).toMatchObject({
      ...nobody,
      error: 'certificate_refused',
    });
    const upgrading = await mailServer({ disabledCommands: [], ...selfSignedCertificate });
    expect(await send(upgrading)).toMatchObject({ ...nobody, error: 'certificate_refused' });
    expect([...secure.received, ...upgrading.received]).toEqual([]);
  });

  it('is not there', async () => {
    const server = await MailServer.start();
    const { port } = server;
    await server.close();
    const answer = await mailer(port).send(aMail());
    expect(answer).toEqual({ ...nobody, status: null, error: 'connection_failed' });
  });

  it('says no at once', async () => {
    for (const greeting of ['HTTP/1.1 400 Bad Request', '554 Go away']) {
      const server = createServer((socket) => socket.end(`${greeting}\r\n`));
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      const answer = await mailer((server.address() as AddressInfo).port).send(aMail());
      expect(answer).toMatchObject({ ...nobody, error: 'connection_failed' });
      server.close();
    }
  });
});

it('sends no password in the clear to another machine', async () => {
  const asked: unknown[] = [];
  const server = await mailServer({
    onAuth: ({ username }, _session, callback) => {
      asked.push(username);
      callback(null, { user: username });
    },
  });
  // A name of this machine that does not look like one.
  const elsewhere = { host: 'LOCALHOST.', user: 'u', password: 'p' };
  const answer = await mailer(server.port, elsewhere).send(aMail());
  expect(answer).toMatchObject({ accepted: [], refused: [] });
  expect(asked).toEqual([]);
});
