import type { ContactCard } from '../../shared/domain/content.ts'

/** A contact as WhatsApp carries it: vCard 3.0 (RFC 2426). `waid` makes the number one that can be written to. */
export function writeVcard(card: ContactCard): string {
  const { name, org } = card
  const structured = [name.last_name, name.first_name, name.middle_name, name.prefix, name.suffix]
  return [
    'BEGIN:VCARD',
    'VERSION:3.0',
    `N:${structured.map(escaped).join(';')}`,
    `FN:${escaped(name.formatted_name)}`,
    ...(org?.company || org?.department ? [`ORG:${[org.company, org.department].map(escaped).join(';')}`] : []),
    ...(org?.title ? [`TITLE:${escaped(org.title)}`] : []),
    ...(card.birthday ? [`BDAY:${card.birthday}`] : []),
    ...(card.phones ?? []).map(
      ({ phone, type, wa_id }) => `TEL${typed(type)}${wa_id ? `;waid=${wa_id}` : ''}:${escaped(phone)}`,
    ),
    ...(card.emails ?? []).map(({ email, type }) => `EMAIL${typed(type)}:${escaped(email)}`),
    ...(card.urls ?? []).map(({ url, type }) => `URL${typed(type)}:${escaped(url)}`),
    ...(card.addresses ?? []).map(({ street, city, state, zip, country, type }) => {
      const parts = ['', '', street, city, state, zip, country]
      return `ADR${typed(type)}:${parts.map(escaped).join(';')}`
    }),
    'END:VCARD',
  ].join('\n')
}

/** What of a received card has a field; the card as it came goes along. */
export function readVcard(vcard: string, displayName?: string): ContactCard & { readonly vcard: string } {
  const properties = unfolded(vcard).flatMap(readProperty)
  const values = (name: string) => properties.filter((property) => property.name === name)
  const first = (name: string) => values(name)[0]?.value
  const [last_name, first_name, middle_name, prefix, suffix] = partsOf(first('N'))
  const [company, department] = partsOf(first('ORG'))
  const title = text(first('TITLE'))
  const phones = values('TEL').map(({ value, parameters }) => ({
    phone: unescaped(value),
    ...present({ type: parameters.get('TYPE'), wa_id: parameters.get('WAID') }),
  }))
  const emails = values('EMAIL').map(({ value, parameters }) => ({
    email: unescaped(value),
    ...present({ type: parameters.get('TYPE') }),
  }))
  const urls = values('URL').map(({ value, parameters }) => ({
    url: unescaped(value),
    ...present({ type: parameters.get('TYPE') }),
  }))
  const org = present({ company, department, title })
  return {
    name: {
      formatted_name: text(first('FN')) ?? displayName ?? '',
      ...present({ last_name, first_name, middle_name, prefix, suffix }),
    },
    ...(phones.length > 0 && { phones }),
    ...(emails.length > 0 && { emails }),
    ...(urls.length > 0 && { urls }),
    ...(Object.keys(org).length > 0 && { org }),
    vcard,
  }
}

interface Property {
  readonly name: string
  readonly parameters: ReadonlyMap<string, string>
  readonly value: string
}

/** `item1.TEL;type=CELL;waid=4915…:+49 15…` */
function readProperty(line: string): Property[] {
  const colon = line.indexOf(':')
  if (colon < 0) return []
  const [head = '', ...rest] = line.slice(0, colon).split(';')
  const parameters = new Map<string, string>()
  for (const parameter of rest) {
    const [key = '', value] = parameter.split('=', 2)
    if (value === undefined) parameters.set('TYPE', key)
    else if (!parameters.has(key.toUpperCase())) parameters.set(key.toUpperCase(), value)
  }
  return [{ name: head.replace(/^.*\./, '').toUpperCase(), parameters, value: line.slice(colon + 1) }]
}

/** A line that begins with a space goes on with the one before. */
const unfolded = (vcard: string): string[] => vcard.replace(/\r?\n[ \t]/g, '').split(/\r?\n/)

const partsOf = (value: string | undefined): (string | undefined)[] =>
  (value ?? '').split(/(?<!\\);/).map((part) => text(part))

const text = (value: string | undefined): string | undefined => (value ? unescaped(value) : undefined)

const escaped = (value: string | undefined): string =>
  (value ?? '').replace(/[\\,;]/g, (character) => `\\${character}`).replace(/\r\n?|\n/g, '\\n')

const unescaped = (value: string): string =>
  value.replace(/\\(.)/g, (_, character: string) => (/n/i.test(character) ? '\n' : character))

/** A parameter may hold none of the characters that end it. */
const typed = (type: string | undefined): string => (type ? `;type=${type.replace(/[^\w-]/g, '')}` : '')

function present<T extends Readonly<Record<string, string | undefined>>>(fields: T): { [K in keyof T]?: string } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: string
  }
}
