import { execFile } from 'node:child_process'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { PYTHON } from '../support/real-program.js'

/** All that a unix stream socket says to somebody who connects. */
export async function answerAt(path: string, timeoutMs: number): Promise<string> {
  // The file is there when the socket is bound, and somebody listens a moment later.
  for (const end = performance.now() + timeoutMs; ; await delay(5)) {
    try {
      return await text(connect(path))
    } catch (error) {
      const isEarly = (error as NodeJS.ErrnoException).code === 'ECONNREFUSED'
      if (!isEarly || performance.now() > end) throw error
    }
  }
}

/** What a unix datagram or seqpacket socket answers, to neither of which Node speaks. */
export async function ask(path: string, question: string): Promise<string> {
  const { stdout } = await promisify(execFile)(PYTHON, ['-c', ASK, path, question])
  return stdout
}

const ASK = `
import socket, sys
path, question = sys.argv[1:]
client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
try:
    client.connect(path)
except OSError:
    client = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    client.bind('')
    client.connect(path)
client.settimeout(20)
client.send(question.encode())
print(client.recv(4096).decode(), end='')`
