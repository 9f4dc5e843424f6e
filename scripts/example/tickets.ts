/** Made-up letters to the support of a shop for home electronics, in six languages. */
import { integer, pick, type Random } from '../simulator/random';

export interface Ticket {
  readonly language: string;
  readonly text: string;
}

interface Letters {
  readonly greetings: readonly string[];
  readonly issues: readonly string[];
  readonly details: readonly string[];
  readonly closings: readonly string[];
  readonly names: readonly string[];
}

const products = [
  'Aurora kettle',
  'Nimbus 2 air purifier',
  'Kestrel e-reader (6″)',
  'Polar Mini fridge',
  'Drift headphones',
  'Lumen desk lamp',
  'Tern robot vacuum',
  'Halo doorbell camera',
  'Cinder space heater',
  'Mistral fan',
  'Bramble smart plug (4-pack)',
  'Orbit weather station',
] as const;

const letters: Readonly<Record<string, Letters>> = {
  English: {
    greetings: [
      'Hi there,',
      'Hello,',
      'Dear support team,',
      'Good morning,',
      'To whom it may concern,',
    ],
    issues: [
      'I was charged twice for order {order}: {amount} on {date} and the same again two days later.',
      'my {product} (order {order}) should have arrived on {date}, and the tracking page has not moved since.',
      'the {product} I bought on {date} turns itself off after about ten minutes, whatever I do.',
      'I cannot log in any more. The reset mail never comes, not even in the spam folder.',
      'the box of order {order} was open when it arrived and the {product} is missing its cable.',
      'you promised to credit {amount} for the returned {product}, and nothing has happened since {date}.',
      'could you tell me whether the {product} works with 110 V? We are moving in the spring.',
      'just a quick note: the {product} is brilliant, and the person on the phone was lovely. Thank you!',
      'please cancel order {order}. I found the {product} cheaper elsewhere, sorry.',
      'since the update on {date} the app shows "Error 0x1F: device not paired" for my {product}.',
      'the invoice for {order} says {amount}, but the confirmation said less. Which one is right?',
      'I would like to change the delivery address of {order} to my office, 3rd floor, ask for "B. Ó Súilleabháin".',
    ],
    details: [
      'I have attached a photo and the receipt.',
      'This is the third time I am writing about it, and so far I have only had automatic replies.',
      'It worked perfectly well before that.',
      'I tried another socket, another cable and the button under the base (held for 15 s, as the manual says on page 7).',
      'My phone is a Pixel 8, the app is version 4.12.1 and the router is on 2.4 GHz.',
      'There is no hurry at all.',
      'If this is not solved by Friday I will ask my bank to take the money back.',
      'The log says:\n\n    12:03:41 pairing started\n    12:03:43 handshake ok (rssi=-71)\n    12:03:58 timeout waiting for {"state":"ready"}\n    12:03:58 giving up',
      'By the way, the search on your site finds nothing when one types "café" with an accent.',
      '> On Tuesday, support wrote:\n> Please restart the device and try again.\n\nI did. It did not help.',
    ],
    closings: ['Thanks,', 'Kind regards,', 'Best,', 'Yours sincerely,', 'Cheers 🙂'],
    names: [
      'Amara Okafor',
      'Tom Whitfield',
      'Priya Raman',
      'Siobhán Kelly',
      'J. P. Lindqvist',
      'Zoë Hart',
    ],
  },
  German: {
    greetings: ['Guten Tag,', 'Hallo zusammen,', 'Sehr geehrte Damen und Herren,'],
    issues: [
      'die Bestellung {order} wurde doppelt abgebucht, jeweils {amount}.',
      'mein Paket mit dem Gerät „{product}“ sollte am {date} kommen und liegt seither im Verteilzentrum.',
      'das Gerät „{product}“ riecht nach dem Einschalten verschmort. Ist das gefährlich?',
      'ich möchte die Bestellung {order} widerrufen; wohin schicke ich die Ware?',
      'in der Rechnung zu {order} fehlt unsere Umsatzsteuer-ID (DE 812 345 678).',
    ],
    details: [
      'Die Straße heißt übrigens „Große Gärtnergasse“, nicht „Grosse Gaertnergasse“.',
      'Ein Foto liegt bei.',
      'Am Telefon war nach 40 Minuten Warteschleife Schluss.',
      'Eine kurze Bestätigung per E-Mail genügt mir.',
    ],
    closings: ['Mit freundlichen Grüßen', 'Viele Grüße', 'Danke im Voraus!'],
    names: ['Jörg Weißmüller', 'Änne Schäfer', 'Mehmet Yıldız'],
  },
  French: {
    greetings: ['Bonjour,', 'Madame, Monsieur,'],
    issues: [
      'la commande {order} a été débitée deux fois ({amount}).',
      "l'appareil « {product} » reçu le {date} ne s'allume pas.",
      'mon colis est bloqué en douane depuis le {date} ; que dois-je faire ?',
      "je n'arrive plus à me connecter à mon compte depuis hier soir.",
    ],
    details: [
      "J'ai déjà essayé une autre prise, sans succès.",
      'Vous trouverez la facture en pièce jointe.',
      "C'est un cadeau, et l'anniversaire est samedi…",
    ],
    closings: ['Cordialement,', 'Bien à vous,', 'Merci beaucoup !'],
    names: ['Hélène Façade', 'Loïc Garçon', 'Aïcha Benali'],
  },
  Spanish: {
    greetings: ['Hola:', 'Buenos días:', 'Estimado equipo:'],
    issues: [
      '¿cuándo llega el pedido {order}? Tenía que estar aquí el {date}.',
      'el aparato «{product}» hace un ruido muy fuerte desde el primer día.',
      'me han cobrado {amount} de más en el pedido {order}.',
      'quiero cambiar el correo de mi cuenta, pero la página da un error.',
    ],
    details: [
      'Adjunto un vídeo de diez segundos.',
      'No es urgente, pero me gustaría una respuesta esta semana.',
      '¡Ya van tres correos sin respuesta!',
    ],
    closings: ['Un saludo,', 'Gracias,', 'Atentamente,'],
    names: ['Íñigo Peña', 'María José Muñoz', 'Lucía Ibáñez'],
  },
  Japanese: {
    greetings: ['お世話になっております。', 'はじめまして。'],
    issues: [
      '{date}に届く予定だった「{product}」(注文番号{order})がまだ届いていません。',
      '「{product}」の電源が10分ほどで切れてしまいます。交換は可能でしょうか。',
      '注文{order}の領収書を発行していただけますか。宛名は「株式会社青空」でお願いします。',
    ],
    details: ['保証書の写真を添付しました。', '急ぎではありません。', 'アプリは最新版です。'],
    closings: ['よろしくお願いいたします。', '以上、よろしくお願いします。'],
    names: ['佐藤 陽子', '髙橋 健', '齋藤 美咲'],
  },
  Portuguese: {
    greetings: ['Olá,', 'Bom dia,'],
    issues: [
      'o pedido {order} consta como entregue, mas não recebi nada.',
      'o aplicativo não reconhece mais o meu «{product}» desde {date}.',
      'gostaria de devolver o «{product}»; o valor foi {amount}.',
    ],
    details: [
      'O porteiro também não recebeu.',
      'Segue a nota fiscal em anexo.',
      'Já reiniciei tudo.',
    ],
    closings: ['Obrigado,', 'Atenciosamente,'],
    names: ['João Conceição', 'Inês Magalhães'],
  },
};

const languages = Object.keys(letters);

/** About half of the letters are English. */
export function makeTicket(random: Random): Ticket {
  const language = random() < 0.4 ? 'English' : pick(random, languages);
  const { greetings, issues, details, closings, names } = lettersIn(language);
  const detailCount = pick(random, [0, 1, 1, 2, 2, 3]);
  const body = [
    pick(random, issues),
    ...Array.from({ length: detailCount }, () => pick(random, details)),
  ];
  const paragraphs = [
    pick(random, greetings),
    [...new Set(body)].join(random() < 0.3 ? '\n\n' : ' '),
    `${pick(random, closings)}\n${pick(random, names)}`,
  ];
  return { language, text: fillIn(paragraphs.join('\n\n'), random) };
}

function lettersIn(language: string): Letters {
  const found = letters[language];
  if (found === undefined) {
    throw new RangeError(`There are no letters in ${language}.`);
  }
  return found;
}

function fillIn(template: string, random: Random): string {
  const day = String(integer(random, 1, 28)).padStart(2, '0');
  const month = String(integer(random, 1, 12)).padStart(2, '0');
  return template
    .replaceAll('{product}', pick(random, products))
    .replaceAll('{order}', `#${integer(random, 100_000, 999_999)}`)
    .replaceAll('{date}', `2026-${month}-${day}`)
    .replaceAll(
      '{amount}',
      `${integer(random, 9, 420)}.${pick(random, ['00', '50', '90', '95'])} €`,
    );
}
