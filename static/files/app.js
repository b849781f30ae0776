// What the pages do beyond links and forms. Everything here is bound by data-
// attributes and improves something that works without it.

const root = document.documentElement
const texts = document.getElementById('client-texts')?.dataset ?? {}
const byId = (id) => document.getElementById(id)
const cardOf = (element) => element?.closest?.('[data-card]')

// ---- Saying things to screen readers ----

const waiting = { polite: [], assertive: [] }

function say(text, urgent = false) {
  const kind = urgent ? 'assertive' : 'polite'
  if (!text || waiting[kind].includes(text)) return
  waiting[kind].push(text)
  if (waiting[kind].length > 1) return
  byId('live-' + kind).textContent = ''
  // A region that is emptied and filled in one task says nothing.
  setTimeout(() => {
    byId('live-' + kind).textContent = waiting[kind].splice(0).join(' ')
  }, 80)
}

function words(element) {
  const copy = element.cloneNode(true)
  copy.querySelectorAll('form, button, .btn, noscript, svg').forEach((e) => e.remove())
  return copy.textContent.replace(/\s+/g, ' ').trim()
}

function announceNew() {
  for (const element of document.querySelectorAll('[data-announce]:not([data-announced])')) {
    element.dataset.announced = ''
    const heading = element.matches('.problem') ? cardOf(element)?.querySelector('h2')?.textContent + ': ' : ''
    say(heading + words(element), element.dataset.announce === 'assertive')
  }
}

// ---- Cards that load ----

function watchLoading(card) {
  if (card.dataset.watched !== undefined) return
  card.dataset.watched = ''
  const text = card.querySelector('[data-slow-text]')
  const retry = card.querySelector('[data-slow-retry]')
  const still = () => card.isConnected && card.getAttribute('aria-busy') === 'true'
  setTimeout(() => {
    if (!still()) return
    if (text) {
      text.hidden = false
      say(text.textContent)
      return
    }
    // A card that is read again shows what it showed before.
    const busy = texts.loading.replace('{0}', card.querySelector('h2')?.textContent ?? '')
    const place = card.querySelector('.problem .buttons') ?? card.querySelector('.head')
    place?.append(Object.assign(document.createElement('span'), { className: 'busy hint', textContent: busy }))
    say(busy)
  }, 1000)
  setTimeout(() => {
    if (!still() || !retry) return
    text.hidden = true
    retry.hidden = false
    say(words(retry))
  }, 10000)
}

function reload(card) {
  if (!card?.getAttribute('hx-get')) return false
  card.setAttribute('aria-busy', 'true')
  delete card.dataset.watched
  card.querySelectorAll('[data-slow-text], [data-slow-retry]').forEach((e) => { e.hidden = true })
  card.querySelectorAll('.busy').forEach((e) => e.remove())
  watchLoading(card)
  card.dispatchEvent(new CustomEvent('portal:retry'))
  return true
}

document.addEventListener('click', (event) => {
  const button = event.target.closest('[data-retry]')
  if (!button) return
  const card = byId(button.dataset.retry) ?? cardOf(button)
  if (card) card.dataset.moveFocus = ''
  if (reload(card)) event.preventDefault()
})

// ---- Requests ----

// A switch can be touched again while its last change is under way; only the
// answer to the last touch is shown.
const lastWish = new Map()
let wishes = 0

const isSwitch = (form) => form?.matches?.('form[data-switch]')
const switchOf = (form) => form.querySelector('[role=switch]')

document.addEventListener('change', (event) => {
  const form = event.target.closest('form[data-switch]')
  if (form && event.target.matches('[role=switch]')) form.requestSubmit()
})

document.addEventListener('htmx:config:request', (event) => {
  const { ctx } = event.detail
  const form = ctx.sourceElement
  if (ctx.request.method === 'GET') return
  clearNotes(form)
  if (!navigator.onLine) {
    event.preventDefault()
    failed(ctx, texts.offline)
    return
  }
  if (isSwitch(form)) {
    ctx.request.body.set(form.dataset.switch, String(switchOf(form).checked))
    ctx.wish = ++wishes
    lastWish.set(form.id, ctx.wish)
  }
})

document.addEventListener('htmx:before:request', ({ detail: { ctx } }) => {
  const form = ctx.sourceElement
  if (ctx.request.method === 'GET' || !form.matches('form')) return
  form.setAttribute('aria-busy', 'true')
  ctx.saving = setTimeout(() => {
    if (!form.isConnected) return
    const busy = Object.assign(document.createElement('span'), { className: 'busy', textContent: texts.saving })
    const place = form.querySelector('.savebar .buttons') ?? form
    place.prepend(busy)
    say(texts.saving)
  }, 300)
})

document.addEventListener('htmx:finally:request', ({ detail: { ctx } }) => {
  clearTimeout(ctx.saving)
  if (isSwitch(ctx.sourceElement) && lastWish.get(ctx.sourceElement.id) !== ctx.wish) return
  settled(ctx.sourceElement)
})

function settled(form) {
  if (!form?.matches?.('form')) return
  form.removeAttribute('aria-busy')
  form.querySelectorAll('.busy').forEach((e) => e.remove())
}

document.addEventListener('htmx:before:response', (event) => {
  const { ctx } = event.detail
  const { raw, status } = ctx.response
  const signIn = raw.redirected && new URL(raw.url).pathname === '/login'
  if (status !== 401 && !signIn) return
  event.preventDefault()
  failed(ctx, texts.ended)
  openSessionDialog()
})

document.addEventListener('htmx:after:request', (event) => {
  const { ctx } = event.detail
  // Something between browser and portal has answered with a page of its own.
  const type = ctx.response.headers.get('Content-Type') ?? ''
  if (!type.startsWith('text/html') || /^\s*<(!doctype|html)/i.test(ctx.text)) {
    if ((ctx.swap ?? '').startsWith('textContent') && ctx.response.status < 400) return
    event.preventDefault()
    failed(ctx, ctx.request.method === 'GET' ? texts.unreadable : texts.notSent)
    return
  }
  // The portal answers with words and no card: they must be seen, not only heard.
  if (ctx.response.headers.get('HX-Reswap') === 'none' && ctx.response.status >= 400) {
    event.preventDefault()
    failed(ctx, new DOMParser().parseFromString(ctx.text, 'text/html').body.textContent.trim())
  }
})

document.addEventListener('htmx:error', ({ detail: { ctx } }) => {
  if (!ctx?.request) return
  const timedOut = ctx.request.signal?.reason === 'timeout'
  failed(ctx, ctx.request.method === 'GET' ? texts.unreadable : timedOut ? texts.timeout : texts.notSent)
})

// failed puts the last known value back and says so beside the control.
function failed(ctx, message) {
  const source = ctx.sourceElement
  settled(source)
  if (isSwitch(source)) {
    if (ctx.wish && lastWish.get(source.id) !== ctx.wish) return
    const control = switchOf(source)
    control.checked = control.defaultChecked // what the portal has rendered, not the opposite of the wish
  }
  const card = cardOf(source)
  if (!card || source.matches('input')) return
  if (ctx.request.method === 'GET' && source === card) {
    card.querySelectorAll('.busy').forEach((e) => e.remove())
    const retry = card.querySelector('[data-slow-retry]')
    if (retry) {
      card.querySelector('[data-slow-text]').hidden = true
      retry.hidden = false
    }
  }
  clientNote(source, message, 'bad')
}

// A message stays until the next action of the same control.
function clearNotes(source) {
  const card = cardOf(source)
  const near = byId(source.dataset.row) ?? byId(card?.id + '-note')
  for (const note of [...(near?.querySelectorAll('[data-note]') ?? []), ...(card?.querySelectorAll('[data-client-note]') ?? [])]) {
    if (!note.contains(source)) note.remove()
  }
}

function clientNote(source, message, tone) {
  const note = byId('client-note').content.firstElementChild.cloneNode(true)
  note.classList.add(tone)
  note.querySelector('p').textContent = message
  if (tone !== 'bad') note.querySelector('button').remove()
  clearNotes(source)
  const card = cardOf(source)
  const row = source.dataset.row && byId(source.dataset.row)
  const place = row?.querySelector('.row-note') ?? byId(card.id + '-note') ?? card
  place.prepend(note)
  say(message, tone === 'bad')
}

document.addEventListener('htmx:before:swap', (event) => {
  const { ctx, tasks } = event.detail
  const source = ctx.sourceElement
  if (isSwitch(source) && lastWish.get(source.id) !== ctx.wish) {
    event.preventDefault()
    return
  }
  const main = tasks.find((t) => t.type === 'main')
  if (main) {
    const rowId = source?.dataset?.row
    const oldRow = rowId && byId(rowId)
    const newRow = rowId && main.fragment.querySelector('#' + CSS.escape(rowId))
    if (oldRow && newRow) narrow(main, tasks, oldRow, newRow)
    const target = typeof main.target === 'string' ? document.querySelector(main.target) : main.target
    ctx.hadFocus = target?.contains(document.activeElement) || target?.dataset.moveFocus !== undefined
  }
  // News about another card must not take away what somebody is typing or
  // switching there.
  for (const task of tasks.filter((t) => t.type === 'oob')) {
    if (task.target.matches?.(':has([data-dirty], [aria-busy=true])')) tasks.splice(tasks.indexOf(task), 1)
  }
})

// narrow replaces only the row of the switch that was touched, so that other
// switches of the card keep their own change under way.
function narrow(main, tasks, oldRow, newRow) {
  const card = cardOf(oldRow)
  const fresh = main.fragment
  for (const id of [card.id + '-note', card.id + '-all', card.id + '-sum']) {
    const before = byId(id)
    const after = fresh.querySelector('#' + CSS.escape(id))
    if (!before || !after) continue
    const fragment = document.createDocumentFragment()
    fragment.append(after)
    tasks.push({ type: 'part', fragment, target: before, swapSpec: { style: 'outerHTML' }, sourceElement: main.sourceElement })
  }
  main.fragment = document.createDocumentFragment()
  main.fragment.append(newRow)
  main.target = oldRow
}

document.addEventListener('htmx:after:swap', ({ detail: { ctx } }) => {
  enhance()
  announceNew()
  const summary = ctx.request?.method !== 'GET' && typeof ctx.target !== 'string' && byId(ctx.target?.id)?.querySelector('[data-summary]')
  document.title = document.title.replace(texts.error, '')
  if (summary) {
    document.title = texts.error + document.title
    summary.focus()
  } else if (ctx.hadFocus && document.activeElement === document.body) {
    const card = byId(ctx.target?.id)
    const place = card?.querySelector('[data-confirm] [data-retry]') ?? card?.querySelector('h2')
    place?.focus({ preventScroll: true })
  }
})

// ---- Forms with Save ----

const changed = (field) => {
  if (field.type === 'checkbox' || field.type === 'radio') return field.checked !== field.defaultChecked
  return field.defaultValue !== undefined && field.type !== 'hidden' && field.value !== field.defaultValue
}
// data-kept marks a form that shows what was typed, not what is stored.
const isDirty = (form) => form.dataset.kept !== undefined || [...form.elements].some(changed)

function markDirty(form) {
  const dirty = isDirty(form)
  form.toggleAttribute('data-dirty', dirty)
  form.querySelectorAll('[data-unsaved], [data-discard]').forEach((e) => { e.hidden = !dirty })
}

for (const kind of ['input', 'change']) {
  document.addEventListener(kind, (event) => {
    const form = event.target.closest('form[data-save]')
    if (form) markDirty(form)
  })
}

document.addEventListener('reset', (event) => {
  const form = event.target.closest('form[data-save]')
  if (!form) return
  if (form.dataset.kept !== undefined && reload(cardOf(form))) {
    event.preventDefault()
    return
  }
  // The values are reset after this event.
  setTimeout(() => {
    form.querySelectorAll('[data-stepper] input').forEach(sayRings)
    markDirty(form)
    form.querySelector('[type=submit]')?.focus()
  })
})

document.addEventListener('submit', (event) => {
  const form = event.target.closest('form[data-save]')
  if (!form || isDirty(form)) return
  event.preventDefault()
  event.stopImmediatePropagation()
  clientNote(form, texts.nothing, 'plain')
}, true)

window.addEventListener('beforeunload', (event) => {
  if (document.querySelector('form[data-dirty]')) event.preventDefault()
})

document.addEventListener('click', (event) => {
  const link = event.target.closest('[data-summary] a')
  if (!link) return
  event.preventDefault()
  byId(link.hash.slice(1))?.focus()
})

// ---- Rings ----

function sayRings(input) {
  const place = byId(input.id + '-words')
  const index = Number(input.value) - Number(input.min)
  place.textContent = place.dataset.words.split('|')[index] ?? ''
}

document.addEventListener('click', (event) => {
  const button = event.target.closest('[data-step]')
  if (!button) return
  const input = byId(button.getAttribute('aria-controls'))
  const value = (Number(input.value) || Number(input.min)) + Number(button.dataset.step)
  input.value = Math.min(Number(input.max), Math.max(Number(input.min), value))
  input.dispatchEvent(new Event('input', { bubbles: true }))
  say(byId(input.id + '-words').textContent)
})

document.addEventListener('input', (event) => {
  if (event.target.matches('[data-stepper] input')) sayRings(event.target)
})

// ---- Countdowns ----

const deadlines = new WeakMap()

function tick() {
  for (const element of document.querySelectorAll('[data-countdown]')) {
    if (!deadlines.has(element)) deadlines.set(element, Date.now() + Number(element.dataset.countdown) * 1000)
    const left = Math.max(0, Math.ceil((deadlines.get(element) - Date.now()) / 1000))
    element.textContent = element.dataset.text.replace('{0}', left)
    if (left > 0) continue
    element.removeAttribute('data-countdown')
    element.closest('[data-send-at-zero], .note')?.querySelector('[data-send-at-zero] form')?.requestSubmit()
    const again = element.closest('[data-retry-at-zero]')
    if (again) reload(byId(again.dataset.retryAtZero))
    if (element.closest('.strip')) {
      element.textContent = ''
      document.querySelectorAll('[data-card].failed').forEach(reload)
    }
  }
}

// ---- Session, connection ----

function openSessionDialog() {
  const dialog = byId('session-ended')
  if (dialog && !dialog.open) dialog.showModal()
}

async function checkSession() {
  const dialog = byId('session-ended')
  if (!dialog?.open || document.hidden) return
  try {
    const answer = await fetch(document.body.dataset.sessionUrl, { headers: { Accept: 'application/json' }, redirect: 'error' })
    if (!answer.ok || !dialog.open) return
  } catch {
    return
  }
  dialog.close()
  document.querySelectorAll('[data-client-note]').forEach((e) => e.remove())
  document.querySelectorAll('[data-card][aria-busy=true]').forEach(reload)
  say(texts.signedIn)
}

window.addEventListener('focus', checkSession)
document.addEventListener('visibilitychange', checkSession)
document.addEventListener('click', (event) => {
  if (event.target.closest('[data-close-dialog]')) event.target.closest('dialog').close()
})

function showConnection(changed) {
  const strip = byId('strip-offline')
  if (!strip) return
  if (!changed && navigator.onLine) return
  strip.hidden = navigator.onLine
  if (changed) say(navigator.onLine ? texts.online : strip.textContent.trim(), !navigator.onLine)
}
window.addEventListener('online', () => showConnection(true))
window.addEventListener('offline', () => showConnection(true))

// ---- Menus, display, copying ----

const openMenus = () => document.querySelectorAll('details[data-menu][open]')

document.addEventListener('keydown', (event) => {
  if (event.key !== 'Escape') return
  for (const menu of openMenus()) {
    menu.open = false
    menu.querySelector('summary').focus()
  }
})
for (const kind of ['click', 'focusin']) {
  document.addEventListener(kind, (event) => {
    for (const menu of openMenus()) if (!menu.contains(event.target)) menu.open = false
  })
}

function remember(name, value) {
  const secure = location.protocol === 'https:' ? '; Secure' : ''
  document.cookie = `${name}=${encodeURIComponent(value)}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`
}

document.addEventListener('change', (event) => {
  const form = event.target.closest('form[data-preferences]')
  if (!form) return
  if (event.target.name === 'theme') {
    const theme = event.target.value
    remember('portal_theme', theme)
    root.dataset.theme = theme
    document.querySelector('meta[name=color-scheme]').content = theme === 'system' ? 'light dark' : theme
  } else if (event.target.name === 'lang') {
    remember('portal_lang', event.target.value)
    location.reload()
  }
})

document.addEventListener('click', async (event) => {
  const button = event.target.closest('[data-copy]')
  if (!button) return
  try {
    await navigator.clipboard.writeText(byId(button.dataset.copy).textContent)
  } catch {
    getSelection().selectAllChildren(byId(button.dataset.copy)) // copying is forbidden: make it easy by hand
    return
  }
  const label = button.lastChild
  const before = label.textContent
  if (before.trim() === texts.copied) return
  label.textContent = texts.copied
  say(texts.copied)
  setTimeout(() => { label.textContent = before }, 2000)
})

// ---- Search ----

// The address follows what was looked for, so that the way back leads to it.
document.addEventListener('htmx:after:swap', ({ detail: { ctx } }) => {
  const form = ctx.sourceElement
  if (!form?.matches?.('form[data-search]')) return
  const wanted = new URLSearchParams([...new FormData(form)].filter(([, value]) => value !== ''))
  history.replaceState(history.state, '', form.action + (wanted.size ? '?' + wanted : ''))
})

// ---- What is shown once ----

// A page that the browser keeps for Back must not show it again.
window.addEventListener('pagehide', () => {
  for (const secret of document.querySelectorAll('[data-once]')) {
    cardOf(secret).dataset.emptied = ''
    secret.remove()
  }
})
window.addEventListener('pageshow', () => document.querySelectorAll('[data-emptied]').forEach(reload))

// ---- Start ----

let arrived = false

function enhance() {
  document.querySelectorAll('[data-card][aria-busy=true]').forEach(watchLoading)
  document.querySelectorAll('form[data-save][data-kept]').forEach(markDirty)
  // A link to a card is followed again when the card has come.
  const wanted = location.hash.length > 1 && byId(location.hash.slice(1))
  if (!arrived && wanted && wanted.matches('[data-card]:not([aria-busy])')) {
    arrived = true
    wanted.scrollIntoView({ block: 'start' })
    wanted.querySelector('h2')?.focus({ preventScroll: true })
  }
}

// This browser runs scripts: the server need not put the cards into the page.
document.cookie = 'portal_js=; Path=/; Max-Age=0; SameSite=Lax'

document.querySelectorAll('main [data-announce]').forEach((e) => { e.dataset.announced = '' })
say(byId('flash')?.textContent.trim() ? words(byId('flash')) : '')
showConnection(false)
enhance()
setInterval(tick, 1000)

// Going from page to page moves the focus to the heading; the first page leaves
// it at the skip link.
const summary = document.querySelector('[data-summary]')
if (summary) {
  summary.focus()
} else if (!location.hash && document.referrer.startsWith(location.origin + '/')) {
  document.querySelector('[data-heading]')?.focus({ preventScroll: true })
}

// ---- Queue board ----

// The buttons for those who are ticked say how many that are.
document.addEventListener('change', ({ target }) => {
  if (!target.matches('.board-tick') || !target.form) return
  const ticked = [...target.form.elements].filter((e) => e.matches('.board-tick:checked')).length
  for (const button of target.form.querySelectorAll('[data-count]')) button.textContent = button.dataset.count.split('|')[ticked]
})

// Cards that nobody is working in are read again now and then.
setInterval(() => {
  if (document.hidden || !navigator.onLine) return
  for (const card of document.querySelectorAll('[data-live]:not([aria-busy=true], :has(:focus, .board-tick:checked, details[open], [data-note], [aria-busy=true]))')) {
    card.dispatchEvent(new CustomEvent('portal:retry'))
  }
}, 30000)
