/** Plots the results of scaling.mjs (with the fitted lines), memory.mjs, sessions.mjs and scripts/voice-controls.mjs as SVG. */

const [WIDTH, HEIGHT] = [640, 400]
const MARGIN = { left: 64, right: 24, top: 24, bottom: 52 }
const COLORS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7'] // distinguishable also by the colour-blind
const GREY = '#767676' // readable on white and on black

/** About five round steps from 0 to `most`. */
function ticks(most) {
  const rough = most / 5
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = [1, 2, 5, 10].map(n => n * power).find(n => n >= rough) ?? 10 * power
  return Array.from({ length: Math.ceil(most / step - 1e-9) + 1 }, (_, i) => Number((i * step).toPrecision(6)))
}

const escaped = text => text.replace(/[&<>]/g, c => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;' })[c])
const at = n => n.toFixed(1)
const text = (x, y, anchor, content, more = '') =>
  `<text x="${at(x)}" y="${at(y)}" text-anchor="${anchor}" fill="${GREY}"${more}>${escaped(content)}</text>`
const rule = (x1, y1, x2, y2) =>
  `<path d="M${at(x1)} ${at(y1)}L${at(x2)} ${at(y2)}" stroke="${GREY}" stroke-opacity="0.35"/>`

/** Axes from 0 between `left` and `right`: `parts` are the elements that draw them, `x` and `y` map values to positions. */
function axes(left, right, most, labels) {
  const [xs, ys] = most.map(ticks)
  const x = value => left + (value / xs.at(-1)) * (right - left)
  const y = value => HEIGHT - MARGIN.bottom - (value / ys.at(-1)) * (HEIGHT - MARGIN.top - MARGIN.bottom)
  const middle = (y(0) + y(ys.at(-1))) / 2
  const parts = [
    ...xs.flatMap(v => [rule(x(v), y(0), x(v), y(ys.at(-1))), text(x(v), y(0) + 18, 'middle', String(v))]),
    ...ys.flatMap(v => [rule(x(0), y(v), x(xs.at(-1)), y(v)), text(x(0) - 8, y(v) + 4, 'end', String(v))]),
    text((x(0) + x(xs.at(-1))) / 2, HEIGHT - 12, 'middle', labels[0]),
    text(left - 48, middle, 'middle', labels[1], ` transform="rotate(-90 ${left - 48} ${at(middle)})"`),
  ]
  return { x, y, parts }
}

function picture(parts) {
  const head = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12" fill="none">`
  return [head, ...parts, '</svg>', ''].join('\n')
}

/**
 * Seconds of computation against seconds of speech.
 *
 * @param series - `{ name, points: [{ seconds, cost }], secondsASecond, startMs }` …
 */
export function scalingPlot(series) {
  const points = series.flatMap(s => s.points)
  const most = ['seconds', 'cost'].map(key => Math.max(...points.map(p => p[key])))
  const labels = ['seconds of speech', 'seconds of computation']
  const { x, y, parts } = axes(MARGIN.left, WIDTH - MARGIN.right, most, labels)
  for (const [i, { name, points: measured, secondsASecond, startMs }] of series.entries()) {
    const color = COLORS[i % COLORS.length]
    const fitted = seconds => startMs / 1000 + secondsASecond * seconds
    const last = Math.max(...measured.map(p => p.seconds))
    parts.push(
      `<path d="M${at(x(0))} ${at(y(Math.max(0, fitted(0))))}L${at(x(last))} ${at(y(fitted(last)))}" stroke="${color}" stroke-width="1.5"/>`,
      ...measured.map(p => `<circle cx="${at(x(p.seconds))}" cy="${at(y(p.cost))}" r="4" fill="${color}"/>`),
      `<circle cx="${at(x(0) + 16)}" cy="${at(MARGIN.top + 14 + 18 * i)}" r="4" fill="${color}"/>`,
      text(x(0) + 28, MARGIN.top + 18 + 18 * i, 'start', name),
    )
  }
  return picture(parts)
}

/**
 * The memory of a process against the number of objects that it has made and dropped, or against the time: one line for
 * each kind of object, side by side, with the same scale.
 *
 * @param series - `{ label, rss }` …, RSS in MB after each object, or each step of time
 */
export function memoryPlot(series) {
  const highest = Math.max(...series.flatMap(s => s.rss))
  const width = (WIDTH - MARGIN.right) / series.length
  return picture(
    series.flatMap(({ label, rss }, i) => {
      const [left, right] = [i * width + MARGIN.left, (i + 1) * width]
      const { x, y, parts } = axes(left, right, [rss.length, highest], [label, 'resident memory, MB'])
      const line = rss.map((mb, n) => `${n === 0 ? 'M' : 'L'}${at(x(n + 1))} ${at(y(mb))}`).join('')
      return [...parts, `<path d="${line}" stroke="${COLORS[i % COLORS.length]}" stroke-width="1.5"/>`]
    }),
  )
}

/**
 * What a voice's controls did against what was asked for, a panel for each control; on the line they are equal.
 *
 * @param panels - `{ control, unit, rows: [{ asked, measured }] }` …
 */
export function controlsPlot(panels) {
  const width = WIDTH / panels.length
  return picture(
    panels.flatMap(({ control, unit, rows }, i) => {
      const values = rows.flatMap(({ asked, measured }) => [asked, measured])
      const [low, high] = [Math.min(...values), Math.max(...values)]
      const [left, right, top, bottom] = [i * width + 36, (i + 1) * width - 8, MARGIN.top + 20, HEIGHT - MARGIN.bottom]
      const x = value => left + ((value - low) / (high - low)) * (right - left)
      const y = value => bottom - ((value - low) / (high - low)) * (bottom - top)
      return [
        text((left + right) / 2, MARGIN.top, 'middle', control),
        text((left + right) / 2, HEIGHT - 12, 'middle', unit),
        rule(left, bottom, right, bottom),
        rule(left, bottom, left, top),
        rule(x(low), y(low), x(high), y(high)),
        ...[...new Set(rows.map(row => row.asked))].flatMap(value => [
          text(x(value), bottom + 18, 'middle', String(value)),
          text(left - 4, y(value) + 4, 'end', String(value)),
        ]),
        ...rows.map(row => `<circle cx="${at(x(row.asked))}" cy="${at(y(row.measured))}" r="3" fill="${COLORS[i % COLORS.length]}" fill-opacity="0.6"/>`), // prettier-ignore
      ]
    }),
  )
}

/**
 * The time to the first audio against the number of live sessions at once: the median and the 95th percentile.
 *
 * @param rows - `{ sessions, firstAudioMs: { median, p95 } }` …
 */
export function sessionsPlot(rows) {
  const most = [Math.max(...rows.map(row => row.sessions)), Math.max(...rows.map(row => row.firstAudioMs.p95))]
  const { x, y, parts } = axes(MARGIN.left, WIDTH - MARGIN.right, most, [
    'live sessions at once',
    'from commit() to the first audio, ms',
  ])
  for (const [i, name] of ['median', 'p95'].entries()) {
    const points = rows.map(({ sessions, firstAudioMs }) => `${at(x(sessions))} ${at(y(firstAudioMs[name]))}`)
    parts.push(
      `<path d="M${points.join('L')}" stroke="${COLORS[i]}" stroke-width="1.5"/>`,
      `<circle cx="${at(x(0) + 16)}" cy="${at(MARGIN.top + 14 + 18 * i)}" r="4" fill="${COLORS[i]}"/>`,
      text(x(0) + 28, MARGIN.top + 18 + 18 * i, 'start', name),
    )
  }
  return picture(parts)
}
