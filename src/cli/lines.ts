import { createInterface } from 'node:readline'

/**
 * The lines of standard input that are not blank. On a terminal with a prompt and the usual editing keys; the prompt goes to
 * standard error, so that results alone are on standard output. Throws the signal's reason when it aborts.
 */
export async function* linesOfInput(signal: AbortSignal): AsyncGenerator<string, void> {
  const { stdin, stderr } = process
  const terminal = stdin.isTTY && stderr.isTTY
  const reader = createInterface({ input: stdin, output: stderr, terminal, prompt: '> ', signal })
  // The terminal is in raw mode, where Ctrl-C is a key and no signal.
  reader.on('SIGINT', () => process.kill(process.pid, 'SIGINT'))
  const prompt = () => terminal && reader.prompt()
  try {
    prompt()
    for await (const line of reader) {
      if (line.trim() !== '') yield line
      prompt()
    }
    signal.throwIfAborted()
  } finally {
    reader.close()
    if (terminal) stderr.write('\n')
  }
}
