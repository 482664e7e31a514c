import { ManagerError } from './errors.js'
import { HELP, parseOptions, UsageError } from './cli-options.js'
import { runService } from './run-service.js'

try {
  const options = parseOptions(process.argv.slice(2))
  if (options === 'help') process.stdout.write(HELP)
  else process.exitCode = await runService(options)
} catch (error) {
  if (error instanceof UsageError || isInvalidOption(error)) {
    fail(`${error.message}\nTry 'sdrun --help'.`, 2)
  } else if (error instanceof ManagerError || isSystemError(error)) {
    fail(error.message, 1)
  } else {
    throw error
  }
}

function fail(message: string, exitCode: number): void {
  process.stderr.write(`sdrun: ${message}\n`)
  process.exitCode = exitCode
}

function isInvalidOption(error: unknown): error is ManagerError {
  return error instanceof ManagerError && error.code === 'ERR_MANAGER_INVALID_OPTION'
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error
}
