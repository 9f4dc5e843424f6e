import fc from 'fast-check';

/** Asserts that a property holds for whatever fast-check comes up with. */
export function holds<T>(property: fc.IProperty<T>, parameters?: fc.Parameters<T>): void {
  fc.assert(property, parameters);
}

/** The same for a property that has to be waited for. */
export async function holdsAsync<T>(
  property: fc.IAsyncProperty<T>,
  parameters?: fc.Parameters<T>,
): Promise<void> {
  await fc.assert(property, parameters);
}
