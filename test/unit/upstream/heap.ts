/** A binary heap: the least first. */
export class Heap<T> {
  private readonly items: T[] = [];

  constructor(private readonly keyOf: (item: T) => number) {}

  get size(): number {
    return this.items.length;
  }

  get first(): T | undefined {
    return this.items[0];
  }

  add(item: T): void {
    this.items.push(item);
    let at = this.items.length - 1;
    while (at > 0 && this.keyAt(at) < this.keyAt((at - 1) >> 1)) {
      this.swap(at, (at - 1) >> 1);
      at = (at - 1) >> 1;
    }
  }

  removeFirst(): void {
    this.swap(0, this.items.length - 1);
    this.items.pop();
    let at = 0;
    for (;;) {
      const left = 2 * at + 1;
      const least = this.keyAt(left + 1) < this.keyAt(left) ? left + 1 : left;
      if (this.keyAt(least) >= this.keyAt(at)) {
        return;
      }
      this.swap(at, least);
      at = least;
    }
  }

  private keyAt(index: number): number {
    const item = this.items[index];
    return item === undefined ? Infinity : this.keyOf(item);
  }

  private swap(one: number, other: number): void {
    const [first, second] = [this.items[one], this.items[other]];
    if (first !== undefined && second !== undefined) {
      this.items[one] = second;
      this.items[other] = first;
    }
  }
}
