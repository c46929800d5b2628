import type { Dtype } from '../../checkpoints/dtype.ts'

/** Little-endian types by NumPy's names. */
const descriptions: Partial<Record<Dtype, string>> = { F16: '<f2', F32: '<f4', I64: '<i8' }

/**
 * The bytes in front of the values of a .npy file, row-major. Format version 1.0 (numpy.lib.format): magic, version, length of a Python
 * dictionary, the dictionary with spaces and a line break up to a multiple of 64 bytes.
 */
export function npyHeader(dtype: Dtype, shape: readonly number[]): Uint8Array {
  const sizes = shape.length === 1 ? `${shape[0]},` : shape.join(', ')
  const dictionary = `{'descr': '${descriptions[dtype]}', 'fortran_order': False, 'shape': (${sizes}), }`
  const length = Math.ceil((10 + dictionary.length + 1) / 64) * 64 - 10
  const bytes = Buffer.alloc(10 + length, ' ')
  bytes.write('\x93NUMPY\x01\x00', 'latin1')
  bytes.writeUInt16LE(length, 8)
  bytes.write(dictionary, 10, 'latin1')
  bytes.write('\n', 10 + length - 1)
  return bytes
}
