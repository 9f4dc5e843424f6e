/** The Model object (OpenAI Models reference). */
export interface ModelWire {
  readonly id: string;
  readonly object: 'model';
  /** When the model was made is unknown. */
  readonly created: 0;
  readonly owned_by: 'longhaul';
}

export interface ModelListWire {
  readonly object: 'list';
  readonly data: readonly ModelWire[];
}

export function toModelWire(name: string): ModelWire {
  return { id: name, object: 'model', created: 0, owned_by: 'longhaul' };
}
