/** Puts what comes in pieces together to lines, each of a bounded length. */
export class LineReader {
  readonly #mostBytes: number
  readonly #onLine: (line: string) => void
  #pieces: Buffer[] = []
  #bytes = 0

  constructor(mostBytes: number, onLine: (line: string) => void) {
    this.#mostBytes = mostBytes
    this.#onLine = onLine
  }

  /** @throws Error for a line that is too long. */
  add(chunk: Buffer): void {
    let start = 0
    for (let end = chunk.indexOf(LINE_FEED); end !== -1; end = chunk.indexOf(LINE_FEED, start)) {
      this.#keep(chunk.subarray(start, end))
      start = end + 1
      const line = Buffer.concat(this.#pieces).toString()
      this.#pieces = []
      this.#bytes = 0
      this.#onLine(line)
    }
    if (start < chunk.length) this.#keep(chunk.subarray(start))
  }

  #keep(piece: Buffer): void {
    this.#bytes += piece.length
    if (this.#bytes >= this.#mostBytes)
      throw new Error(`a line that is longer than ${this.#mostBytes} bytes`)
    this.#pieces.push(piece)
  }
}

const LINE_FEED = 10
