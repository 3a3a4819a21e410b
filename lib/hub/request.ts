import { abortedBy, DownloadError } from '../errors.js'

/** The server that is asked, and the token. */
export interface Endpoint {
  /** `https://huggingface.co` or a mirror, without a slash at the end. */
  readonly url: string
  readonly token: string | undefined
}

const MOST_REDIRECTS = 10
/** A connection on which nothing arrives for this many seconds is considered lost. */
const STALLED_SECONDS = 60
/** HTTP statuses after which another try may succeed. */
const TRANSIENT = new Set([408, 425, 429, 500, 502, 503, 504])

/** A failure after which another try may succeed. */
export class TransientError extends Error {
  constructor(
    message: string,
    /** The delay that the server asked for. */
    readonly retryAfterSeconds?: number,
    options?: ErrorOptions,
  ) {
    super(message, options)
  }
}

/** What is requested, for messages. */
export interface Subject {
  repo: string
  revision: string
  file?: string
}

/**
 * Sends a GET request and follows redirects. The token is sent only to the endpoint itself, not to other hosts.
 *
 * @returns the response, whose status is 200 or 206; `alive`, to be called whenever bytes arrive; and `close`, to be
 * called at the end
 * @throws {@link DownloadError} the server refused; says what helps; {@link TransientError}; {@link AbortedError}
 */
export async function get(
  endpoint: Endpoint,
  address: string,
  subject: Subject,
  options: { headers?: Record<string, string>; signal?: AbortSignal | undefined } = {},
): Promise<{ response: Response; alive: () => void; close: () => void }> {
  const { headers = {}, signal } = options
  if (signal?.aborted) throw abortedBy(signal)
  const home = new URL(endpoint.url).origin
  const controller = new AbortController()
  const stop = (): void => controller.abort(signal?.reason)
  signal?.addEventListener('abort', stop, { once: true })
  const timer = setTimeout(
    () => controller.abort(new TransientError(`no data arrived for ${STALLED_SECONDS} s`)),
    STALLED_SECONDS * 1000,
  )
  const close = (): void => {
    clearTimeout(timer)
    signal?.removeEventListener('abort', stop)
  }
  try {
    let url = new URL(address)
    for (let hops = 0; hops <= MOST_REDIRECTS; hops++) {
      const own = url.origin === home && endpoint.token !== undefined
      const response = await fetch(url, {
        redirect: 'manual', // so that the token is not sent to other hosts
        signal: controller.signal,
        headers: {
          'user-agent': 'moss-speech-native',
          'accept-encoding': 'identity', // ranges and sizes refer to the file's own bytes
          ...headers,
          ...(own && { authorization: `Bearer ${endpoint.token}` }),
        },
      })
      const location = response.headers.get('location')
      if (response.status < 300 || response.status >= 400 || location === null) {
        if (response.ok) return { response, alive: () => timer.refresh(), close }
        throw await refusal(response, endpoint, subject)
      }
      await response.body?.cancel()
      url = new URL(location, url)
      if (url.protocol !== 'https:' && url.protocol !== 'http:') break
    }
    throw new DownloadError(`${address} redirects too many times`, { url: address })
  } catch (thrown) {
    close()
    throw failure(thrown, signal)
  }
}

/** Converts an error of a request, or of reading its body, to one of our errors. */
export function failure(thrown: unknown, signal: AbortSignal | undefined): unknown {
  if (signal?.aborted) return abortedBy(signal)
  if (thrown instanceof DownloadError || thrown instanceof TransientError) return thrown
  // fetch: "fetch failed" or "terminated", with the system's error as its cause.
  const { message, cause } = thrown as Error
  const { message: found = '', code = '' } = (cause ?? {}) as { message?: string; code?: string }
  const reason = [found, code, message].find(text => text !== '') ?? 'the connection failed'
  return new TransientError(reason, undefined, { cause: thrown })
}

async function refusal(response: Response, endpoint: Endpoint, subject: Subject): Promise<Error> {
  const { status, headers } = response
  await response.body?.cancel()
  const code = headers.get('x-error-code') ?? ''
  const { repo, revision, file } = subject
  const what = file === undefined ? repo : `${file} of ${repo}`
  const details = { repo, ...(file !== undefined && { file }), status, ...(code && { code }) }
  const login = endpoint.token
    ? 'the token (HF_TOKEN, or the file of `hf auth login`) does not open it: take one that may read it'
    : 'set HF_TOKEN to a token that may read it, or run `hf auth login`'
  const page = `${endpoint.url}/${repo}`
  if (TRANSIENT.has(status)) {
    const after = Number(headers.get('retry-after') ?? NaN)
    return new TransientError(`the server answered ${status}`, Number.isFinite(after) ? after : undefined)
  }
  const reasons: [boolean, string][] = [
    [code === 'GatedRepo', `its owner grants access to those who ask: do so on ${page}; then ${login}`],
    [code === 'DisabledRepo', 'it has been disabled'],
    [code === 'RevisionNotFound', `there is no revision ${revision}`],
    [code === 'EntryNotFound', `there is no such file at ${revision}`],
    [status === 401, `there is no such repository, or it is private or gated: ${login}`],
    [status === 403, `access is denied: ${login}`],
    [code === 'RepoNotFound' || status === 404, `it does not exist, or is private: check the name; ${login}`],
  ]
  const reason = reasons.find(([applies]) => applies)?.[1] ?? `the server answered ${status}`
  return new DownloadError(`cannot get ${what} from ${endpoint.url}: ${reason} (HTTP ${status})`, details)
}
