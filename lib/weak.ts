/*
 * Holding things without keeping them alive.
 */

/** Undoes what was set up for an object when nobody holds the object any more. */
const whenCollected = new FinalizationRegistry<() => void>(undo => undo())

/**
 * Runs `undo`, which must not hold the object, when nobody holds it any more.
 *
 * @returns ends that
 */
export function onceCollected(object: object, undo: () => void): () => void {
  whenCollected.register(object, undo, undo)
  return () => void whenCollected.unregister(undo)
}

/**
 * Lets `controller` abort when `signal` does. The signal, which may live as long as the program, does not keep the controller alive.
 *
 * @returns ends it
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

/** A set whose members may be collected. */
export class WeakCollection<T extends object> implements Iterable<T> {
  readonly #refs = new Set<WeakRef<T>>()
  readonly #collected = new FinalizationRegistry<WeakRef<T>>(ref => this.#refs.delete(ref))

  /** @returns takes it out */
  add(member: T): () => void {
    const ref = new WeakRef(member)
    this.#refs.add(ref)
    this.#collected.register(member, ref)
    return () => void this.#refs.delete(ref)
  }

  /** Those that are still there. */
  *[Symbol.iterator](): Iterator<T> {
    for (const ref of this.#refs) {
      const member = ref.deref()
      if (member) yield member
    }
  }
}
