/** What people have in a .safetensors file, or point at, that is not safetensors: recognised by its first bytes. */

/** The format and the way out, or undefined. Only for a prefix that cannot be a header length: eight such bytes are far above the limit. */
export function foreignFormat(prefix: Uint8Array): string | undefined {
  const text = String.fromCharCode(...prefix.subarray(0, 8))
  if (text.startsWith('version '))
    return 'a Git LFS pointer instead of the data; run `git lfs pull`, or give the name so that it is downloaded'
  if (['\x80\x02', '\x80\x03', '\x80\x04', '\x80\x05'].some((start) => text.startsWith(start)))
    return 'a Python pickle that is not of torch.save; use the .safetensors files of the same model'
  if (/^\s*</.test(text)) return 'an HTML or XML page; download the file itself'
  if (text.startsWith('GGUF')) return 'a GGUF file; use the .safetensors files of the same model'
  if (text.startsWith('\x89HDF')) return 'an HDF5 file; use the .safetensors files of the same model'
  if (/^\s*[{[]\s*["{\]}[]/.test(text)) return 'JSON text'
  return undefined
}
