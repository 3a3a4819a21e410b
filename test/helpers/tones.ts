// The input that the small encoder of test/golden/make_tones.py was trained to transcribe.

const RATE = 16_000
const LETTERS = 'ABCDEFGH'
const [TONE, GAP, PAUSE] = [0.12, 0.06, 0.24]

export interface Said {
  samples: Float32Array
  text: string
  words: { word: string; start: number; end: number }[]
}

/** Words of tones for `seconds` seconds, generated like those of make_tones.py. */
export function say(seconds: number, seed: number): Said {
  const samples = new Float32Array(Math.round(seconds * RATE))
  let state = seed
  const random = (): number => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647
  for (let i = 0; i < samples.length; i++) samples[i] = 0.004 * (random() - 0.5)
  const words: Said['words'] = []
  let time = PAUSE
  while (time < seconds - 1) {
    const start = time
    let word = ''
    for (let left = 1 + Math.floor(random() * 4); left > 0; left--) {
      const letter = Math.floor(random() * LETTERS.length)
      word += LETTERS[letter]
      const hertz = 320 * 1.35 ** letter
      const from = Math.round(time * RATE)
      const count = Math.round(TONE * RATE)
      for (let i = 0; i < count; i++) {
        samples[from + i]! +=
          0.4 * Math.sqrt(Math.sin((Math.PI * i) / count)) * Math.sin((2 * Math.PI * hertz * i) / RATE)
      }
      time += TONE + GAP
    }
    words.push({ word, start, end: time - GAP })
    time += PAUSE - GAP
  }
  return { samples, text: words.map(w => w.word).join(' '), words }
}
