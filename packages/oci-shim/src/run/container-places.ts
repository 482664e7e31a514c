/** Where a container, and whoever starts it, come to a bridge; on the host. */
export interface ContainerPlaces {
  /** It alone is bound into the container. */
  readonly notifyDirectory: string
  readonly socketPath: string
  /** Where the container's runtime asks for descriptors: the container does not see it. */
  readonly descriptorSocketPath: string
}
