import type { HttpRequest, HttpResponse, TemplatedApp } from 'uWebSockets.js';
import { DuetError } from '../errors.ts';
import { headerText, joinHeaders, NO_HEADERS } from './headers.ts';
import { PathTable } from './PathTable.ts';
import { Pipeline, type PipelineConfig, type PipelinePorts } from './Pipeline.ts';
import { countPieces, declaredLength, isShort } from './RoutedRequest.ts';
import type { Route } from './route.ts';
import { fileAnswer, type StaticFile } from './staticFiles.ts';

type Respond = (res: HttpResponse, req: HttpRequest) => void;

/** What answers at which path: routes, files, and for all else that there is nothing. */
export class Router {
  readonly #pipeline: Pipeline;
  readonly #bodyCapBytes: number;
  readonly #paths = new PathTable();
  readonly #bindings: { method: string; path: string; respond: Respond }[] = [];

  constructor(ports: PipelinePorts, config: PipelineConfig) {
    this.#pipeline = new Pipeline(ports, config);
    this.#bodyCapBytes = config.bodyCapBytes;
  }

  add(routes: readonly Route[]): void {
    const pipeline = this.#pipeline;
    for (const route of routes) {
      const entry = pipeline.entryOf(route);
      this.#declare(route.method, route.path, (res, req) => pipeline.serve(entry, false, res, req));
      if (route.method !== 'get') continue;
      this.#declare('head', route.path, (res, req) => pipeline.serve(entry, true, res, req));
    }
  }

  addFiles(files: readonly StaticFile[]): void {
    for (const file of files) {
      this.#declare('get', file.path, (res, req) => this.#serveFile(file, false, res, req));
      this.#declare('head', file.path, (res, req) => this.#serveFile(file, true, res, req));
    }
  }

  /** Puts everything that was added on the application, and an answer for all that was not. */
  bind(app: TemplatedApp): void {
    for (const { method, path, respond } of this.#bindings) app[nativeMethod(method)](path, respond);
    app.any('/*', (res, req) => this.#serveUnknown(res, req));
  }

  /** Bodies that are arriving just now, for the metrics. */
  get openBodies(): number {
    return this.#pipeline.openBodies;
  }

  close(): void {
    this.#pipeline.close();
  }

  #declare(method: string, path: string, respond: Respond): void {
    const known = this.#bindings.some((other) => other.method === method && other.path === path);
    if (known) throw new Error(`Declared twice: ${method.toUpperCase()} ${path}`);
    this.#paths.add(path, method.toUpperCase());
    this.#bindings.push({ method, path, respond });
  }

  #serveFile(file: StaticFile, isHead: boolean, res: HttpResponse, req: HttpRequest): void {
    const label = `GET ${file.path}`;
    const exchange = this.#pipeline.open(label, isHead, res, req);
    const pieces = this.#longBody(res, req);
    if (pieces === undefined)
      exchange.answer(...fileAnswer(file, req.getHeader('if-none-match'), req.getHeader('accept-encoding')));
    else this.#pipeline.refuse(exchange, label, new DuetError('PAYLOAD_TOO_LARGE'), pieces);
    exchange.leaveHandler();
  }

  /** What no route took: an unknown path, a known one under another method, or the question what is allowed. */
  #serveUnknown(res: HttpResponse, req: HttpRequest): void {
    const method = req.getCaseSensitiveMethod();
    const exchange = this.#pipeline.open('unmatched', method === 'HEAD', res, req);
    const methods = this.#paths.methodsOf(req.getUrl());
    const pieces = this.#longBody(res, req);
    const isKnown = methods.length > 0;
    const allow = isKnown ? headerText([['allow', [...methods, 'OPTIONS'].join(', ')]]) : NO_HEADERS;
    const refuse = (error: unknown) => this.#pipeline.refuse(exchange, 'unmatched', error, pieces, allow);
    if (isKnown && method === 'OPTIONS' && pieces === undefined) {
      exchange.answer(
        204,
        joinHeaders(allow, this.#pipeline.cors.preflight(req.getHeader('origin'), methods)),
      );
    } else {
      const refusal = new DuetError(isKnown ? 'METHOD_NOT_ALLOWED' : 'NOT_FOUND');
      try {
        const counted = this.#pipeline.countUnknown(exchange, req);
        if (counted === undefined) refuse(refusal);
        else counted.then(() => refuse(refusal), refuse);
      } catch (error) {
        refuse(error);
      }
    }
    exchange.leaveHandler();
  }

  /** The pieces of a body that nobody reads and that does not end soon; undefined where there is none. */
  #longBody(res: HttpResponse, req: HttpRequest): (() => number) | undefined {
    return isShort(declaredLength(req), this.#bodyCapBytes) ? undefined : countPieces(res);
  }
}

function nativeMethod(method: string): 'get' | 'post' | 'put' | 'patch' | 'del' | 'head' {
  return (method === 'delete' ? 'del' : method) as 'get' | 'post' | 'put' | 'patch' | 'del' | 'head';
}
