/** Every error the package throws on purpose. Messages say where, what was expected, what was found and what to try. */

/** Base of all errors below; the command line turns the class into an exit code. */
export class Blip2Error extends Error {
  override readonly name: string = 'Blip2Error'
}

/** Two shapes (or a shape and an attribute) do not fit an operator. Thrown while a graph is built, never while it runs. */
export class ShapeError extends Blip2Error {
  override readonly name = 'ShapeError'
}

/** A value was asked for a gradient that its operator states it does not have. */
export class GradientError extends Blip2Error {
  override readonly name = 'GradientError'
}

/** A weight file is damaged, hostile, incomplete, or not the one that the model needs. */
export class CheckpointError extends Blip2Error {
  override readonly name = 'CheckpointError'
}

/** A configuration, recipe or option has a value that cannot be used. */
export class ConfigError extends Blip2Error {
  override readonly name = 'ConfigError'
}

/** An input of the user (image, text, dataset) cannot be read or does not fit. */
export class DataError extends Blip2Error {
  override readonly name = 'DataError'
}

/** A device, worker or session failed or is gone: not available, out of memory, killed, disposed. */
export class SessionError extends Blip2Error {
  override readonly name = 'SessionError'
}
