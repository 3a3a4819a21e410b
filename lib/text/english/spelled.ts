/*
 * Signs that the text front end puts into a text for itself. They are of Unicode's private use area, which no text needs; what a user's
 * text has of it is taken out first.
 */

/** Before letters that are read one by one: `\uf8ffusb`. */
export const SPELL = '\uf8ff'

/** Letters to be read one by one; signs between them are left out. */
export function spelled(letters: string): string {
  return `${SPELL}${letters.replace(/[^A-Za-z]/g, '').toLowerCase()}`
}
