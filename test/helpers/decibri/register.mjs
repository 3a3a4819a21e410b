// `node --import` of this file puts fake.mjs in the place of the package decibri.

import { register } from 'node:module'

register('./hooks.mjs', import.meta.url)
