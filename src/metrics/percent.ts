/** Shares in [0, 1] as means in percent, not rounded; NaN of none. */
export function percent(shares: readonly number[]): number {
  return (100 * shares.reduce((sum, share) => sum + share, 0)) / shares.length
}

/** The same within each type, in the order in which they first come; `types[i]` is that of `shares[i]`, undefined for none. */
export function percentByType(
  types: readonly (string | undefined)[],
  shares: readonly number[],
): Record<string, number> {
  const groups = new Map<string, number[]>()
  types.forEach((type, i) => {
    if (type === undefined) return
    const group = groups.get(type)
    if (group === undefined) groups.set(type, [shares[i]!])
    else group.push(shares[i]!)
  })
  return Object.fromEntries([...groups].map(([type, group]) => [type, percent(group)]))
}
