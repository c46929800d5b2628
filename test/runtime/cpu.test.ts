import { openDevice } from '../../src/runtime/node.ts'
import { deviceContract } from './contract.ts'
import { variablesContract } from './variables-contract.ts'

const open = () => openDevice({ device: 'cpu', threads: 2 })
deviceContract('cpu', open)
variablesContract('cpu', open)
