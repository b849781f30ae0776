// The page to try the JSON API: it reads the OpenAPI description and makes a
// form of every operation.

const place = document.getElementById('api')
const words = place.dataset
const verbs = ['get', 'put', 'post', 'patch', 'delete']

function element(name, attributes = {}, ...children) {
  const e = document.createElement(name)
  for (const [key, value] of Object.entries(attributes)) if (value !== undefined && value !== false) e.setAttribute(key, value)
  e.append(...children)
  return e
}

function field(id, label, hint, control) {
  const box = element('div', { class: 'field' }, element('label', { for: id }, label), control)
  if (hint) {
    box.append(element('p', { class: 'hint', id: id + '-hint' }, hint))
    control.setAttribute('aria-describedby', id + '-hint')
  }
  return box
}

function resolve(spec, value) {
  if (!value?.$ref) return value
  return value.$ref.replace(/^#\//, '').split('/').reduce((part, key) => part?.[key.replace(/~1/g, '/').replace(/~0/g, '~')], spec)
}

function operation(spec, path, verb, index) {
  const op = spec.paths[path][verb]
  const parameters = [...(spec.paths[path].parameters ?? []), ...(op.parameters ?? [])].map((p) => resolve(spec, p))
  const form = element('form', { novalidate: '' })
  parameters.forEach((p, i) => {
    const id = `op-${index}-${i}`
    const control = element('input', { id, name: p.name, 'data-in': p.in, required: p.required ? '' : undefined, autocomplete: 'off', spellcheck: 'false' })
    form.append(field(id, p.name + (p.required ? ` (${words.required})` : ''), p.description, control))
  })
  const body = resolve(spec, op.requestBody)
  if (body) {
    const id = `op-${index}-body`
    const example = Object.values(body.content ?? {})[0]?.example
    const area = element('textarea', { id, name: 'body', 'data-in': 'body', spellcheck: 'false' })
    area.value = example ? JSON.stringify(example, null, 2) : ''
    form.append(field(id, words.body, body.description, area))
  }
  const output = element('output', { hidden: '' })
  const name = op.summary ?? `${verb.toUpperCase()} ${path}`
  form.append(element('button', { class: 'btn primary', type: 'submit' }, words.send, element('span', { class: 'hidden-visually' }, `: ${name}`)))
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    send(form, verb, path, output, name)
  })
  return element('details', {},
    element('summary', {}, element('span', { class: 'verb' }, verb.toUpperCase()), element('code', {}, path), op.summary ?? ''),
    op.description ? element('p', { class: 'hint' }, op.description) : '', form, output)
}

async function send(form, verb, path, output, name) {
  const headers = { Accept: 'application/json' }
  const query = new URLSearchParams()
  let body
  for (const control of form.querySelectorAll('[data-in]')) {
    if (!control.value) continue
    if (control.dataset.in === 'path') path = path.replace(`{${control.name}}`, encodeURIComponent(control.value))
    else if (control.dataset.in === 'query') query.set(control.name, control.value)
    else if (control.dataset.in === 'header') headers[control.name] = control.value
    else if (control.dataset.in === 'body') {
      body = control.value
      headers['Content-Type'] = 'application/json'
    }
  }
  let shown
  try {
    const answer = await fetch(path + (query.size ? `?${query}` : ''), { method: verb.toUpperCase(), headers, body })
    const text = await answer.text()
    const kept = ['ETag', 'Audit-Id', 'Retry-After', 'Content-Type'].filter((h) => answer.headers.has(h)).map((h) => `${h}: ${answer.headers.get(h)}`)
    shown = [`${answer.status} ${answer.statusText}`, ...kept, '', pretty(text)].join('\n')
  } catch (error) {
    shown = String(error)
  }
  output.hidden = false
  output.replaceChildren(element('p', { class: 'strong' }, words.answer), element('pre', { tabindex: '0', role: 'region', 'aria-label': `${words.answer}: ${name}` }, shown))
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2)
  } catch {
    return text
  }
}

async function start() {
  const answer = await fetch(words.spec, { headers: { Accept: 'application/json' } })
  if (!answer.ok) throw new Error(answer.status)
  const spec = await answer.json()
  const groups = new Map()
  let index = 0
  for (const path of Object.keys(spec.paths)) {
    for (const verb of verbs) {
      if (!spec.paths[path][verb]) continue
      const tag = spec.paths[path][verb].tags?.[0] ?? spec.info.title
      if (!groups.has(tag)) groups.set(tag, [])
      groups.get(tag).push(operation(spec, path, verb, index++))
    }
  }
  place.replaceChildren(...[...groups].map(([tag, list], i) =>
    element('section', { class: 'card', 'aria-labelledby': `tag-${i}` }, element('h2', { id: `tag-${i}` }, tag), ...list)))
}

start()
  .catch(() => place.replaceChildren(element('p', { role: 'alert' }, words.unreachable)))
  .finally(() => place.removeAttribute('aria-busy'))
