const VOWELS: Record<string, string> = {
  AA: 'ɑ', AE: 'æ', AH: 'ʌ', AO: 'ɔ', AW: 'W', AY: 'I', EH: 'ɛ', ER: 'ɜɹ', EY: 'A', IH: 'ɪ', IY: 'i', OW: 'O', OY: 'Y', UH: 'ʊ', UW: 'u',
} // prettier-ignore
const CONSONANTS: Record<string, string> = {
  B: 'b', CH: 'ʧ', D: 'd', DH: 'ð', F: 'f', G: 'ɡ', HH: 'h', JH: 'ʤ', K: 'k', L: 'l', M: 'm', N: 'n', NG: 'ŋ', P: 'p', R: 'ɹ',
  S: 's', SH: 'ʃ', T: 't', TH: 'θ', V: 'v', W: 'w', Y: 'j', Z: 'z', ZH: 'ʒ',
} // prettier-ignore
const UNSTRESSED: Record<string, string> = { AH: 'ə', ER: 'əɹ' }
const STRESS: Record<string, string> = { '1': 'ˈ', '2': 'ˌ' }

/** Where the dictionary's transcriptions differ systematically from the voices' pronunciation. */
const HABITS: [RegExp, string][] = [
  [/^(ɹ|b|d|pɹ)ɪ(?=[^ˈˌ]*ˈ)/, '$1ə'], // be-gin, re-main, de-stroy, pre-fer
  [/(?<=[td])əd$/, 'ɪd'], // nodd-ed
  [/(?<=[szʃʒʧʤ])əz$/, 'ɪz'], // dress-es
  [/(?<=.)əst$/, 'ɪst'], // larg-est
  [/(?<=.)əʤ$/, 'ɪʤ'], // voy-age
  [/([ˈˌ])iɹ/, '$1ɪɹ'], // here
  [/(?<=[nd])j([ˈˌ]?)(?=[uʊ])/, '$1'], // new, en-dure
]

/** One entry of the CMU Pronouncing Dictionary as units: `HH AH0 L OW1` → `həlˈO`. */
export function arpabetToUnits(phones: string): string {
  let units = ''
  for (const phone of phones.replace(/ *#.*/, '').split(' ')) {
    const name = phone.replace(/\d/, '')
    const stress = phone.slice(name.length)
    units +=
      CONSONANTS[name] ??
      (STRESS[stress] ?? '') + ((stress === '0' ? UNSTRESSED[name] : undefined) ?? VOWELS[name] ?? '')
  }
  for (const [pattern, replacement] of HABITS) units = units.replace(pattern, replacement)
  return units
}
