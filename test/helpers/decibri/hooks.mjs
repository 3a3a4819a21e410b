export function resolve(specifier, context, next) {
  if (specifier !== 'decibri') return next(specifier, context)
  return { url: new URL('fake.mjs', import.meta.url).href, shortCircuit: true }
}
