/* References to objects that do not keep them alive. */

/** Calls the function that was registered for an object when the object has been garbage-collected. */
const whenCollected = new FinalizationRegistry<() => void>(undo => undo())

/**
 * Runs `undo` when the object has been garbage-collected. `undo` must not reference the object.
 *
 * @returns a function that unregisters `undo`
 */
export function onceCollected(object: object, undo: () => void): () => void {
  whenCollected.register(object, undo, undo)
  return () => void whenCollected.unregister(undo)
}

/**
 * Makes `controller` abort when `signal` does. The signal, which may live as long as the program, does not keep the
 * controller alive.
 *
 * @returns a function that ends this
 */
export function follow(controller: AbortController, signal: AbortSignal): () => void {
  const weak = new WeakRef(controller)
  const relay = (): void => weak.deref()?.abort(signal.reason)
  signal.addEventListener('abort', relay, { once: true })
  const unfollow = (): void => signal.removeEventListener('abort', relay)
  whenCollected.register(controller, unfollow, unfollow)
  return () => {
    whenCollected.unregister(unfollow)
    unfollow()
  }
}

/** A set whose members may be garbage-collected. */
export class WeakCollection<T extends object> implements Iterable<T> {
  readonly #refs = new Set<WeakRef<T>>()
  readonly #collected = new FinalizationRegistry<WeakRef<T>>(ref => this.#refs.delete(ref))

  /** @returns a function that removes the member */
  add(member: T): () => void {
    const ref = new WeakRef(member)
    this.#refs.add(ref)
    this.#collected.register(member, ref)
    return () => void this.#refs.delete(ref)
  }

  /** The members that have not been collected. */
  *[Symbol.iterator](): Iterator<T> {
    for (const ref of this.#refs) {
      const member = ref.deref()
      if (member) yield member
    }
  }
}
