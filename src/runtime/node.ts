import { availableParallelism } from 'node:os'
import { ConfigError, SessionError } from '../errors.ts'
import type { Device } from './device.ts'
import { CpuDevice } from './node-device.ts'

const deviceNames = ['auto', 'cpu', 'webgpu', 'cuda'] as const
export type DeviceName = (typeof deviceNames)[number]

export interface DeviceOptions {
  /** `auto` is the CPU in this release. */
  readonly device?: DeviceName
  /** Threads that share the work of one operator; all that the system offers when absent. */
  readonly threads?: number
}

/** Opens a device. SessionError when it is not available, with what would make it so; ConfigError for a wrong option. */
export async function openDevice(options: DeviceOptions = {}): Promise<Device> {
  const { device = 'auto', threads = availableParallelism() } = options
  if (!Number.isSafeInteger(threads) || threads < 1) {
    throw new ConfigError(`threads: expected a positive whole number, found ${threads}`)
  }
  switch (device) {
    case 'auto':
    case 'cpu':
      return CpuDevice.open({ threads })
    case 'webgpu':
      throw new SessionError(
        'device webgpu: not in this release; it will need a GPU with a Vulkan, Metal or Direct3D 12 driver. Use cpu or auto',
      )
    case 'cuda':
      throw new SessionError(
        "device cuda: not in this release; it will need Linux x64, an NVIDIA GPU, CUDA 12 and ONNX Runtime's CUDA build" +
          ' (ONNXRUNTIME_NODE_INSTALL=cuda12 npm rebuild onnxruntime-node --ignore-scripts=false). Use cpu or auto',
      )
    default:
      throw new ConfigError(
        `device: expected one of ${deviceNames.join(', ')}, found ${JSON.stringify(device satisfies never)}`,
      )
  }
}
