/**
 * The engine of the container bridge: receives a container's notifications and passes them to the service manager.
 *
 * @module
 */
export { type EngineName } from './engines/launch.js'
