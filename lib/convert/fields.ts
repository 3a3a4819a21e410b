import { ModelFormatError, UnsupportedError } from '../errors.js'
import { readJson } from './source.js'

/**
 * A JSON object of a checkpoint, such as `config.json`. Every field is checked when it is read; `fallback` is the value
 * of a missing field.
 */
export class Fields {
  constructor(
    private readonly file: string,
    private readonly values: Readonly<Record<string, unknown>>,
  ) {}

  /**
   * Reads a JSON file of a checkpoint. A missing file has no fields. @throws {@link ModelFormatError} if it is not a
   * JSON object.
   */
  static read(files: ReadonlyMap<string, string>, file: string): Fields {
    const path = files.get(file)
    return Fields.of(file, path === undefined ? {} : readJson(path))
  }

  static of(file: string, value: unknown): Fields {
    if (!isObject(value)) throw new ModelFormatError(`${file} is no JSON object`, { file })
    return new Fields(file, value)
  }

  /** The unchecked value. Null counts as missing. */
  get(name: string): unknown {
    return Object.hasOwn(this.values, name) ? (this.values[name] ?? undefined) : undefined
  }

  keys(): string[] {
    return Object.keys(this.values)
  }

  integer(name: string, fallback?: number): number {
    const value = this.get(name) ?? fallback
    if (!isCount(value)) return this.#fail(name, 'a whole number', value)
    return value
  }

  integers(name: string, fallback?: readonly number[]): readonly number[] {
    const value = this.get(name) ?? fallback
    if (!Array.isArray(value) || value.length === 0 || !value.every(isCount)) {
      return this.#fail(name, 'a list of whole numbers', value)
    }
    return value
  }

  number(name: string, fallback?: number): number {
    const value = this.get(name) ?? fallback
    return typeof value === 'number' && Number.isFinite(value) ? value : this.#fail(name, 'a number', value)
  }

  boolean(name: string, fallback?: boolean): boolean {
    const value = this.get(name) ?? fallback
    return typeof value === 'boolean' ? value : this.#fail(name, 'true or false', value)
  }

  string(name: string, fallback?: string): string {
    const value = this.get(name) ?? fallback
    return typeof value === 'string' ? value : this.#fail(name, 'a string', value)
  }

  /** @throws {@link UnsupportedError} the value is not among the supported ones; names the field. */
  oneOf<T extends string>(name: string, known: readonly T[], fallback: T): T {
    const value = this.string(name, fallback)
    return known.find(k => k === value) ?? this.unsupported(name, `${known.join(' and ')} are imported`)
  }

  /** @throws {@link UnsupportedError} */
  unsupported(name: string, why: string): never {
    const found = JSON.stringify(this.get(name))
    throw new UnsupportedError(`${this.file}: ${name} = ${found}: ${why}`, { file: this.file, flag: name, found })
  }

  #fail(name: string, expected: string, value: unknown): never {
    const found = value === undefined ? 'nothing' : JSON.stringify(value)
    throw new ModelFormatError(`${this.file}: ${name}: expected ${expected}, found ${found}`, { name, expected, found })
  }
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
