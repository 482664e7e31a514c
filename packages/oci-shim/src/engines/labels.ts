/** The label of a container that tells the unit it belongs to. */
export const UNIT_LABEL = 'io.sdbridge.unit'

/** The annotation of a container's configuration that names the unit for which the daemon is to bridge it. */
export const DAEMON_ANNOTATION = 'io.sdbridge.daemon'

/** The label, or annotation, of a container that was created to be started later: its directory on the host. */
export const DIRECTORY_LABEL = 'io.sdbridge.notify-directory'
