// A program that does nothing, until SIGTERM.
process.stdout.write('ready\n')
const timer = setInterval(() => {}, 2 ** 30)
process.once('SIGTERM', () => clearInterval(timer))
