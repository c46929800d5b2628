/** Lets one caller in at a time, in the order of asking. `acquire` resolves to the function that lets the next one in. */
export function createLock(): () => Promise<() => void> {
  let last: Promise<void> = Promise.resolve()
  return async () => {
    const before = last
    let release: () => void = () => {}
    last = new Promise((resolve) => {
      release = resolve
    })
    await before
    return release
  }
}
