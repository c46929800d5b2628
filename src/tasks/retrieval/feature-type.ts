/** The types in which the image encoder's output may be kept. */
export const featureTypes = ['float16', 'float32'] as const
export type FeatureType = (typeof featureTypes)[number]
