/** Paths as text: the graph names weight files but never touches them. */

/** The deepest folder that holds every file (absolute paths, either separator); undefined when there is none. */
export function commonFolder(files: readonly string[]): string | undefined {
  if (files.length === 0) return undefined
  let common = parts(files[0] as string).slice(0, -1)
  for (const file of files) {
    const folders = parts(file).slice(0, -1)
    let same = 0
    while (same < common.length && common[same] === folders[same]) same++
    common = common.slice(0, same)
  }
  return common.join('/') || '/'
}

/** The path of `file` from `folder`, which holds it, with forward slashes as ONNX wants them. */
export function relativePath(folder: string, file: string): string {
  return parts(file)
    .slice(parts(folder).filter((part, index) => index === 0 || part !== '').length)
    .join('/')
}

function parts(path: string): string[] {
  return path.split(/[/\\]/)
}
