declare module 'node-gyp-build' {
  /** Loads the addon of the package whose root folder is `root`: a prebuild, or what was built from source. */
  export default function load(root: string): unknown
}
