process.stderr.write('sdbridge: being built\n')
process.exitCode = 2
