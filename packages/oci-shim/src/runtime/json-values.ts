import type { Json, JsonObject } from './exact-json.js'

/** Whether a value of JSON has named members. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A value as an object: one without members, if it is none. */
export function objectIn(value: Json | undefined): JsonObject {
  return isObject(value) ? value : {}
}

/** A value as a list: an empty one, if it is none. */
export function listIn(value: Json | undefined): readonly Json[] {
  return Array.isArray(value) ? (value as readonly Json[]) : []
}
