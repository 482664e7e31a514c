import {
  type DescriptorRequest,
  parseRequest,
  REQUEST_ANNOTATION,
  REQUEST_VARIABLE,
} from '../engines/descriptor-request.js'
import type { JsonObject } from '../runtime/exact-json.js'
import { listIn, objectIn } from '../runtime/json-values.js'
import { valueOfVariable } from '../runtime/variables.js'

/**
 * What a container's configuration asks for: by its annotation, or else by the variable, of which the last counts.
 *
 * @returns `undefined` if it asks for nothing.
 * @throws Error if it asks for something that cannot be understood.
 */
export function containerRequest(config: JsonObject): DescriptorRequest | undefined {
  const annotation = objectIn(config['annotations'])[REQUEST_ANNOTATION]
  const environment = listIn(objectIn(config['process'])['env'])
  const text = annotation ?? valueOfVariable(environment, REQUEST_VARIABLE)
  if (text === undefined) return undefined
  const request = typeof text === 'string' ? parseRequest(text) : undefined
  if (request !== undefined) return request
  const what = annotation === undefined ? REQUEST_VARIABLE : `annotation ${REQUEST_ANNOTATION}`
  throw new Error(
    `${what}: expected an id and the path of a bridge's socket, as sdbridge run writes it, found ${JSON.stringify(text)}`,
  )
}
