import { HoldfastClient } from '/client.js'

const holdfast = new HoldfastClient({ baseUrl: `${location.origin}/api` })
const byId = (id) => document.getElementById(id)
const element = (name, properties = {}, ...children) => {
  const made = Object.assign(document.createElement(name), properties)
  made.append(...children)
  return made
}

// Every change of a connection, by whatever name, ends in `live.connections`: what it holds is shown as it is.
const names = ['created', 'updated', 'deleted'].map((name) => `connection-${name}`)
for (const name of [
  'snapshot',
  'whatsapp-qr',
  'whatsapp-connected',
  'whatsapp-reconnecting',
  'whatsapp-disconnected',
  ...names,
]) {
  holdfast.live.on(name, showConnections)
}
holdfast.live.on('state', ({ kind }) => {
  byId('socket').textContent = kind === 'open' ? 'live' : `${kind} …`
})
holdfast.live.on('message-status', ({ messageId, to, text, status }) =>
  showMessage(messageId, `to ${to}: ${text?.body}`, status),
)
holdfast.live.on('message-received', ({ messageId, from, text, type }) =>
  showMessage(messageId, `from ${from.name ?? from.phoneNumber}: ${text?.body ?? type}`, 'received'),
)

const codes = new Map()
function showConnections() {
  const connections = [...holdfast.live.connections.values()]
  byId('connections').replaceChildren(
    ...connections.map(({ connectionId, label, phoneNumber = '', status, message, qr }) => {
      const head = element(
        'div',
        {},
        `${label} ${phoneNumber} `,
        element('span', { className: `status ${status}`, textContent: status }),
      )
      return element(
        'li',
        {},
        head,
        element('small', { textContent: message }),
        ...(qr === undefined ? [] : [qrImage(connectionId, qr)]),
      )
    }),
  )
  const chosen = byId('send').connectionId.value
  byId('send').connectionId.replaceChildren(
    ...connections.map(({ connectionId, label }) => element('option', { value: connectionId, textContent: label })),
  )
  if (holdfast.live.connections.has(chosen)) byId('send').connectionId.value = chosen
}

/** One image for each code; a code that has run out is followed by a new one, or by another status. */
function qrImage(connectionId, { text, expiresAt }) {
  if (codes.get(connectionId)?.text !== text) {
    const image = element('img', { className: 'qr', alt: `QR code until ${expiresAt}` })
    codes.set(connectionId, { text, image })
    holdfast.http
      .raw({
        method: 'GET',
        path: '/connections/{connectionId}/qr',
        params: { connectionId },
        headers: { accept: 'image/svg+xml' },
      })
      .then(async (answer) => {
        image.src = URL.createObjectURL(await answer.blob())
      }, showProblem)
  }
  return codes.get(connectionId).image
}

const shown = new Map()
function showMessage(messageId, text, status) {
  const item = shown.get(messageId) ?? element('li')
  item.replaceChildren(text, ' ', element('span', { className: 'status', textContent: status }))
  if (!shown.has(messageId)) byId('messages').prepend(item)
  shown.set(messageId, item)
}

function showProblem(error) {
  byId('problem').textContent = error.message
}

byId('link').addEventListener('submit', (event) => {
  event.preventDefault()
  holdfast.connections.create({ label: event.target.label.value }).then(() => event.target.reset(), showProblem)
})
byId('send').addEventListener('submit', (event) => {
  event.preventDefault()
  byId('problem').textContent = ''
  const { connectionId, to, text } = event.target
  holdfast.messages.send(connectionId.value, { to: to.value, type: 'text', text: { body: text.value } }).then(() => {
    text.value = ''
  }, showProblem)
})
