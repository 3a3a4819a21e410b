/** Wakes those who wait for something that may have changed. */
export class Change {
  #wake: () => void = () => undefined
  #next = this.#promise()

  /** Resolves at the next {@link notify}. */
  wait(): Promise<void> {
    return this.#next
  }

  notify(): void {
    this.#wake()
    this.#next = this.#promise()
  }

  #promise(): Promise<void> {
    return new Promise(resolve => (this.#wake = resolve))
  }
}
