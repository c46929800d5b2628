/** Checkpoints made of the reference files that LAVIS's names are in: configurations for their tiny sizes, parts on their own. */
import { join } from 'node:path'
import { openCheckpoint, readBytes, writeSafetensors } from '../../src/checkpoints/node.ts'
import { readJson } from './reference.ts'

type Numbers = Readonly<Record<string, number>>

/** The config.json that goes with a folder of LAVIS's (`lavis-*`), from the sizes in its cases.json. */
export async function lavisConfig(folder: string): Promise<Record<string, unknown>> {
  const { config, eos_token_id_for_generation: eos } = await readJson(join(folder, 'cases.json'))
  const { vision, qformer, llm, text, vision_layer_norm_eps, ln_vision_eps } = config as Record<string, Numbers>
  const { cross, queries, ...sizes } = qformer as Numbers
  const t5 = llm !== undefined && 'd_model' in llm
  return {
    model_type: 'blip-2',
    vision_config: { ...vision, layer_norm_eps: vision_layer_norm_eps, post_layernorm_eps: ln_vision_eps },
    qformer_config: {
      ...sizes,
      cross_attention_frequency: cross,
      ...(text && { use_qformer_text_input: true, vocab_size: text.vocab, max_position_embeddings: text.positions }),
    },
    num_query_tokens: queries,
    ...(text && { image_text_hidden_size: text.embed_dim }),
    ...(llm && {
      text_config: {
        ...llm,
        model_type: t5 ? 't5' : 'opt',
        ...(t5
          ? { feed_forward_proj: 'gated-gelu', tie_word_embeddings: false }
          : { word_embed_proj_dim: llm.hidden_size }),
        ...(eos !== null && { eos_token_id: eos }),
      },
    }),
  }
}

/** Writes the tensors of `source` that `rename` gives a name, under that name. */
export async function writeRenamed(
  source: string,
  target: string,
  rename: (name: string) => string | undefined,
): Promise<void> {
  const { tensors } = await openCheckpoint(source)
  const written = []
  for (const tensor of tensors.values()) {
    const name = rename(tensor.name)
    if (name === undefined) continue
    written.push({ name, dtype: tensor.dtype, shape: tensor.shape, data: new Uint8Array(await readBytes(tensor)) })
  }
  await writeSafetensors(target, written)
}
