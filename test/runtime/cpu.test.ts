import { openDevice } from '../../src/runtime/node.ts'
import { deviceContract } from './contract.ts'

deviceContract('cpu', () => openDevice({ device: 'cpu', threads: 2 }))
