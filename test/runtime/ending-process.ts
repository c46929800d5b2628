/** A process that uses a device and ends in the way that its argument says; `node.test.ts` starts it. */
import { openDevice } from '../../src/runtime/node.ts'
import { slowFeeds, slowModel } from './models.ts'

const device = await openDevice({ threads: 2 })
const session = await device.createSession(slowModel())
const rows = 2000 // about half a second; long enough for the timers below
const run = () => session.run(slowFeeds(rows))

switch (process.argv[2]) {
  case 'idle': // neither the session nor the device is disposed
    console.log('opened')
    break
  case 'disposed':
    device.createCache({ unused: [1] }) // a call that is still pending when the device goes
    await device.dispose()
    console.log('disposed')
    break
  case 'pending':
    run().then(() => console.log('finished'))
    break
  case 'exit':
    run()
    setTimeout(() => process.exit(3), 50)
    break
  case 'throw':
    run()
    setTimeout(() => {
      throw new Error('thrown on purpose')
    }, 50)
    break
}
